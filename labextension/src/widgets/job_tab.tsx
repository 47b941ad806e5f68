/**
 * One job in a tab of its own, where its log and its charts have room.
 */
import { ITranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import React from 'react';

import { jobsIcon } from '../components/icons';
import { JobView } from '../components/job_view';
import { OpenJobModel } from '../model/open_job';
import { CommandIDs } from '../tokens';
import { makeJobActions } from './job_actions';
import { DOMAIN } from './panel';

interface IOptions {
  job: OpenJobModel;
  commands: CommandRegistry;
  translator: ITranslator;
}

export class JobTab extends ReactWidget {
  constructor(private readonly _options: IOptions) {
    super();
    const { job } = _options;
    this.id = `sm-remote-job-${job.name}`;
    this.addClass('sm-Body');
    this.addClass('sm-mod-tab');
    this.title.icon = jobsIcon;
    this.title.label = job.name;
    this.title.closable = true;
  }

  dispose(): void {
    this._options.job.dispose();
    super.dispose();
  }

  protected render(): JSX.Element {
    const { job, commands, translator } = this._options;
    const trans = translator.load(DOMAIN);
    const show = (name: string) =>
      void commands.execute(CommandIDs.openJob, { name, target: job.target, large: true });
    const actions = makeJobActions({ job, commands, trans, back: null, show, openLarge: null });
    return <JobView job={job} actions={actions} trans={trans} />;
  }
}
