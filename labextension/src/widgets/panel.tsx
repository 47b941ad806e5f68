/**
 * The sidebar: the settings of the notebook in front above the jobs.
 */
import { Clipboard } from '@jupyterlab/apputils';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, SidePanel } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { Message } from '@lumino/messaging';
import React from 'react';

import { jobsIcon } from '../components/icons';
import { JobView } from '../components/job_view';
import { JobsView } from '../components/jobs_view';
import { SettingsView } from '../components/settings_view';
import { useSignal } from '../components/use_signal';
import { PanelModel } from '../model/panel';
import { CommandIDs } from '../tokens';
import { makeJobActions, stopJob } from './job_actions';

export const DOMAIN = 'sm_remote';

interface IOptions {
  model: PanelModel;
  commands: CommandRegistry;
  translator: ITranslator;
}

export class Panel extends SidePanel {
  private readonly _model: PanelModel;

  constructor({ model, commands, translator }: IOptions) {
    super({ translator });
    const trans = translator.load(DOMAIN);
    this._model = model;
    this.id = 'sm-remote-panel';
    this.addClass('sm-Panel');
    this.title.icon = jobsIcon;
    this.title.caption = trans.__('Training jobs (sm_remote)');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Training jobs'));
    this.addWidget(makeSettings(model, trans));
    this.addWidget(makeJobs(model, commands, trans));
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._model.jobs.attentive = true;
    void this._model.loadTypes();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._model.jobs.attentive = false;
  }
}

function makeSettings(model: PanelModel, trans: TranslationBundle): ReactWidget {
  const widget = ReactWidget.create(<Settings model={model} trans={trans} />);
  widget.addClass('sm-Body');
  widget.title.label = trans.__('This notebook');
  return widget;
}

function makeJobs(model: PanelModel, commands: CommandRegistry, trans: TranslationBundle): ReactWidget {
  const widget = ReactWidget.create(<Jobs model={model} commands={commands} trans={trans} />);
  widget.addClass('sm-Body');
  widget.title.label = trans.__('Jobs');
  return widget;
}

function Settings({ model, trans }: { model: PanelModel; trans: TranslationBundle }): JSX.Element {
  useSignal(model.changed);
  const settings = model.settings;
  if (settings === null) {
    return <p className="sm-Hint">{trans.__('Open a notebook to choose what its training jobs run on.')}</p>;
  }
  const copy = () => Clipboard.copyToSystem(settings.renderDecorator());
  return <SettingsView key={settings.path} settings={settings} types={model.types} trans={trans} onCopy={copy} />;
}

interface IJobsProps {
  model: PanelModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

function Jobs({ model, commands, trans }: IJobsProps): JSX.Element {
  useSignal(model.changed);
  const job = model.open;
  if (job === null) {
    return (
      <JobsView
        jobs={model.jobs}
        trans={trans}
        onOpen={row => model.show(row.target, row.name)}
        onStop={row => void stopJob(model.jobs, row, trans)}
      />
    );
  }
  const actions = makeJobActions({
    ...{ job, commands, trans },
    back: () => model.showList(),
    show: name => model.show(job.target, name),
    openLarge: () => {
      void commands.execute(CommandIDs.openJob, { name: job.name, target: job.target, large: true });
      model.showList();
    }
  });
  return <JobView key={job.name} job={job} actions={actions} trans={trans} />;
}
