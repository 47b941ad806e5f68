/**
 * What is done in the notebook itself: running a cell as a training job, and inserting code that comes back to one.
 */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { parseTarget, text } from '../api/parse';
import { jobsIcon } from '../components/icons';
import { renderAttach } from '../model/decorator_code';
import { makeRemote } from '../model/magic_cell';
import { CommandIDs } from '../tokens';
import { DOMAIN } from '../widgets/panel';

export const cellsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@sm-remote/labextension:cells',
  description: 'Runs a cell as a training job.',
  autoStart: true,
  optional: [INotebookTracker, ITranslator],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker | null, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    app.commands.addCommand(CommandIDs.runCell, {
      label: trans.__('Run as Training Job'),
      caption: trans.__('Run this cell as a training job'),
      icon: jobsIcon,
      isEnabled: () => tracker?.activeCell?.model.type === 'code',
      isVisible: () => tracker?.activeCell?.model.type === 'code',
      execute: async () => {
        if (tracker?.currentWidget) {
          await runRemotely(tracker.currentWidget, trans);
        }
      }
    });
    app.commands.addCommand(CommandIDs.attachJob, {
      label: trans.__('Insert Attach Code'),
      execute: args => {
        const code = renderAttach(text(args.name), parseTarget(args.target), text(args.function));
        if (tracker?.currentWidget) {
          insertBelow(tracker.currentWidget, code);
        } else {
          Notification.info(trans.__('Open a notebook first: the code goes below its active cell.'));
        }
      }
    });
  }
};

async function runRemotely(panel: NotebookPanel, trans: TranslationBundle): Promise<void> {
  const cell = panel.content.activeCell;
  const code = cell === null ? null : makeRemote(cell.model.sharedModel.getSource());
  if (cell === null || code === null) {
    Notification.warning(trans.__('This cell is empty or has another magic, so it cannot run as a training job.'));
    return;
  }
  const kernel = panel.sessionContext.session?.kernel;
  // The magic has to be there first; this adds nothing to the history and no output.
  await kernel?.requestExecute({ code: '%load_ext sm_remote', silent: true, store_history: false }).done;
  cell.model.sharedModel.setSource(code);
  await NotebookActions.run(panel.content, panel.sessionContext);
}

function insertBelow(panel: NotebookPanel, code: string): void {
  NotebookActions.insertBelow(panel.content);
  panel.content.activeCell?.model.sharedModel.setSource(code);
}
