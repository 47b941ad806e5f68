/**
 * The settings of each open notebook: read from its metadata, judged by Python, sent to its kernel.
 */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { JSONObject } from '@lumino/coreutils';

import { fields, list, parseProblem, text } from '../api/parse';
import { INotebook, NotebookSettings } from '../model/notebook_settings';
import { followLiveViews } from './live_views';
import { IPanel } from './panel_token';
import { followSavedCards } from './saved_cards';

const KEY = 'sm_remote';
const COMM_TARGET = 'sm_remote';
const SCHEMA = 1;

export const notebooksPlugin: JupyterFrontEndPlugin<void> = {
  id: '@sm-remote/labextension:notebooks',
  description: 'Keeps the settings of training jobs in notebooks, and tells their kernels.',
  autoStart: true,
  requires: [IPanel],
  optional: [INotebookTracker],
  activate: (_: JupyterFrontEnd, panel: IPanel, tracker: INotebookTracker | null) => {
    const known = new Map<NotebookPanel, NotebookSettings>();
    const showCurrent = () => {
      panel.model.settings = (tracker?.currentWidget && known.get(tracker.currentWidget)) ?? null;
    };
    tracker?.widgetAdded.connect(async (__, notebook) => {
      await notebook.context.ready;
      if (notebook.isDisposed) {
        return;
      }
      const settings = new NotebookSettings(panel.client, describeNotebook(notebook));
      known.set(notebook, settings);
      notebook.disposed.connect(() => {
        known.delete(notebook);
        settings.dispose();
        showCurrent();
      });
      notebook.model?.metadataChanged.connect((___, change) => change.key === KEY && settings.reread());
      followKernel(notebook, settings);
      followLiveViews(notebook);
      followSavedCards(notebook, panel);
      showCurrent();
    });
    tracker?.currentChanged.connect(showCurrent);
  }
};

function describeNotebook(notebook: NotebookPanel): INotebook {
  const trusted = isTrusted(notebook);
  const save = queueSaves(notebook.context);
  return {
    get path() {
      return notebook.context.localPath;
    },
    trusted,
    read: () => {
      const found = fields(notebook.model?.getMetadata(KEY));
      return { ...fields(found.settings) };
    },
    write: settings => {
      if (Object.keys(settings).length === 0) {
        notebook.model?.deleteMetadata(KEY);
      } else {
        notebook.model?.setMetadata(KEY, { schema: SCHEMA, settings } as JSONObject);
      }
    },
    save
  };
}

/**
 * Has the saves of a notebook follow one another. Of two at once, JupyterLab's later one finds the file changed on disk
 * and asks the user which of the two to keep; and the panel's can meet Ctrl+S or the regular one, whoever was first.
 *
 * @returns Saves what is not saved yet.
 */
function queueSaves(context: NotebookPanel['context']): () => Promise<void> {
  const save = context.save.bind(context);
  let last: Promise<unknown> = Promise.resolve();
  const queue = (work: () => Promise<void>): Promise<void> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  context.save = () => queue(save);
  return () => queue(async () => (context.model.dirty ? save() : undefined));
}

/** Whether Jupyter trusts what is in the notebook now, when it is opened: what one runs later does not change that. */
function isTrusted(notebook: NotebookPanel): boolean {
  const cells = [...(notebook.model?.cells ?? [])].filter(cell => cell.type === 'code');
  return cells.length > 0 && cells.every(cell => cell.trusted);
}

/** Every kernel that the notebook gets can open the connection; the last one that did is told. */
function followKernel(notebook: NotebookPanel, settings: NotebookSettings): void {
  const register = (kernel: Kernel.IKernelConnection | null | undefined) => {
    kernel?.registerCommTarget(COMM_TARGET, comm => {
      const send = (values: Record<string, unknown>) => {
        if (!comm.isDisposed) {
          comm.send({ settings: values as JSONObject });
        }
      };
      comm.onMsg = message => {
        const data = fields(message.content.data);
        if ('overridden' in data) {
          settings.takeOverridden(list(data.overridden, text));
        } else {
          settings.takeReply(data.accepted === false ? parseProblem({ ...data, code: 'kernel' }) : null);
        }
      };
      comm.onClose = () => settings.disconnect(send);
      kernel.disposed.connect(() => settings.disconnect(send));
      kernel.statusChanged.connect((_, status) => {
        if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
          settings.disconnect(send);
        }
      });
      settings.connect(send);
    });
  };
  register(notebook.sessionContext.session?.kernel);
  notebook.sessionContext.kernelChanged.connect((_, change) => register(change.newValue));
}
