/**
 * The live part of a job's view is a widget, which ends with its kernel and is saved with the notebook: without its
 * kernel it would say "model not found". The card above it says how the job was seen last; this takes the widget away.
 */
import { ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';

import { fields, text } from '../api/parse';
import { MARK } from '../model/saved_card';

const VIEW = 'application/vnd.jupyter.widget-view+json';
const COMM_TARGET = 'jupyter.widget';

/** Takes the widgets away that no kernel has: those of the file when it is opened, and all when the kernel ends. */
export function followLiveViews(notebook: NotebookPanel): void {
  const session = notebook.sessionContext;
  void session.ready.then(async () => {
    const reply = await session.session?.kernel?.requestCommInfo({ target_name: COMM_TARGET });
    removeViews(notebook, new Set(Object.keys(fields(fields(reply?.content).comms))));
  });
  session.statusChanged.connect((_, status) => {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      removeViews(notebook, new Set());
    }
  });
}

/** The notebook is as changed as it was: nobody is to be asked whether to save what the next opening does as well. */
function removeViews(notebook: NotebookPanel, living: ReadonlySet<string>): void {
  const model = notebook.isDisposed ? null : notebook.model;
  if (model !== null) {
    const dirty = model.dirty;
    removeFrom([...model.cells], living);
    model.dirty = dirty;
  }
}

function removeFrom(cells: readonly ICellModel[], living: ReadonlySet<string>): void {
  for (const cell of cells) {
    if (cell.type !== 'code') {
      continue;
    }
    const { outputs } = cell as ICodeCellModel;
    const all = outputs.toJSON();
    const kept = all.filter(output => {
      const view = fields(fields(output.data)[VIEW]);
      return !(MARK in fields(output.metadata) && 'model_id' in view && !living.has(text(view.model_id)));
    });
    if (kept.length < all.length) {
      outputs.fromJSON(kept);
    }
  }
}
