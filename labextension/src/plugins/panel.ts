/**
 * The panel itself: the sidebar, its commands, and the token under which the other plugins find its jobs.
 */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';

import { Client } from '../api/client';
import { fields, parseTarget, text } from '../api/parse';
import { jobsIcon } from '../components/icons';
import { JobsModel } from '../model/jobs';
import { PanelModel } from '../model/panel';
import { CommandIDs } from '../tokens';
import { stopJob } from '../widgets/job_actions';
import { JobTab } from '../widgets/job_tab';
import { DOMAIN, Panel } from '../widgets/panel';
import { IPanel } from './panel_token';

const EVENT = 'urn:sm-remote:events:jobs-changed:v1';

export const panelPlugin: JupyterFrontEndPlugin<IPanel> = {
  id: '@sm-remote/labextension:panel',
  description: 'The sidebar with the settings of a notebook’s training jobs, and the jobs.',
  autoStart: true,
  provides: IPanel,
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ): IPanel => {
    const client = new Client(app.serviceManager.serverSettings);
    const jobs = new JobsModel(client);
    const model = new PanelModel(client, jobs);
    const used = translator ?? nullTranslator;
    const widget = new Panel({ model, commands: app.commands, translator: used });
    app.shell.add(widget, 'left', { rank: 650, type: 'Training jobs' });
    restorer?.add(widget, widget.id);
    followEvents(app, jobs);
    void startWhereJobsRun(client, jobs);
    const open = () => app.shell.activateById(widget.id);
    addCommands(app, model, open, used);
    addToPalette(palette, used.load(DOMAIN));
    return { client, model, open };
  }
};

/** The list begins with the target that the settings name. */
async function startWhereJobsRun(client: Client, jobs: JobsModel): Promise<void> {
  const state = await client.state().catch(() => null);
  if (state !== null) {
    jobs.target = state.target;
  }
}

function followEvents(app: JupyterFrontEnd, jobs: JobsModel): void {
  app.serviceManager.events.stream.connect((_, emission) => {
    if (emission.schema_id === EVENT) {
      const event = fields(emission);
      jobs.notice(parseTarget(event.target), typeof event.seq === 'number' ? event.seq : 0);
    }
  });
}

function addCommands(app: JupyterFrontEnd, model: PanelModel, open: () => void, translator: ITranslator): void {
  const trans = translator.load(DOMAIN);
  const { commands } = app;
  commands.addCommand(CommandIDs.open, {
    label: trans.__('Show Training Jobs'),
    caption: trans.__('Show the sidebar with training jobs and their settings'),
    icon: jobsIcon,
    execute: open
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh Training Jobs'),
    icon: refreshIcon,
    execute: () => model.jobs.refresh()
  });
  commands.addCommand(CommandIDs.openJob, {
    label: trans.__('Show Training Job'),
    execute: args => {
      const [name, target] = [text(args.name), parseTarget(args.target)];
      if (args.large === true) {
        openTab(app, model, name, target, translator);
      } else {
        open();
        model.show(target, name);
      }
    }
  });
  commands.addCommand(CommandIDs.stopJob, {
    label: trans.__('Stop Training Job'),
    isEnabled: () => model.open !== null && model.jobs.running.some(row => row.name === model.open?.name),
    execute: async args => {
      const row = model.jobs.find(text(args.name) || model.open?.name || '');
      if (row !== undefined) {
        await stopJob(model.jobs, row, trans);
      }
    }
  });
}

function openTab(
  app: JupyterFrontEnd,
  model: PanelModel,
  name: string,
  target: 'local' | 'sagemaker',
  translator: ITranslator
): void {
  const job = model.make(target, name);
  const widget = new MainAreaWidget({ content: new JobTab({ job, commands: app.commands, translator }) });
  widget.toolbar.hide(); // nothing is in it
  widget.id = `sm-remote-job-${name}-${Date.now()}`;
  app.shell.add(widget, 'main');
  app.shell.activateById(widget.id);
}

function addToPalette(palette: ICommandPalette | null, trans: TranslationBundle): void {
  const category = trans.__('Training Jobs');
  for (const command of [CommandIDs.open, CommandIDs.refresh, CommandIDs.stopJob, CommandIDs.runCell]) {
    palette?.addItem({ command, category });
  }
}
