/**
 * The card of a job is kept up to date by the kernel that waits for it or watches it. When that kernel is gone, or the
 * page was loaded anew, the card stands still: once the job has ended, its final state is put there from the server.
 */
import { ICodeCellModel } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';

import { isRunning } from '../model/format';
import { ISavedCard, readSavedCard } from '../model/saved_card';
import { IPanel } from './panel_token';

/** What a kernel has before it is taken to have forgotten a job: its own card says more. */
const GRACE_MS = 8000;

/** Completes cards of jobs that have ended: when the notebook is opened, when its kernel ends, and when a job does. */
export function followSavedCards(notebook: NotebookPanel, panel: IPanel): void {
  const { jobs } = panel.model;
  const session = notebook.sessionContext;
  const asked = new Set<string>();
  const complete = async (card: ISavedCard, waitMs: number): Promise<void> => {
    if (asked.has(card.job)) {
      return;
    }
    asked.add(card.job);
    try {
      await new Promise(resolve => setTimeout(resolve, waitMs));
      await completeCard(notebook, card, panel);
    } catch {
      // Offline, or another service than the one that ran it: the card says when it was last true.
    } finally {
      asked.delete(card.job);
    }
  };
  // Cards that no kernel reaches: it updates what was displayed in this page while it lived.
  const forsaken = new Set<string>();
  const completeAll = () => {
    for (const { card } of findCards(notebook)) {
      forsaken.add(card.job);
      void complete(card, 0);
    }
  };
  const completeEnded = () => {
    for (const { card } of findCards(notebook)) {
      const row = jobs.find(card.job);
      if (row !== undefined && !isRunning(row)) {
        void complete(card, forsaken.has(card.job) ? 0 : GRACE_MS);
      }
    }
  };
  void session.ready.then(completeAll);
  session.statusChanged.connect((_, status) => {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      completeAll();
    }
  });
  jobs.changed.connect(completeEnded);
  notebook.disposed.connect(() => jobs.changed.disconnect(completeEnded));
}

async function completeCard(notebook: NotebookPanel, card: ISavedCard, panel: IPanel): Promise<void> {
  if (![...findCards(notebook)].some(found => found.card.job === card.job)) {
    return; // its kernel was faster
  }
  const { live, data } = await panel.client.card(card.target, card.job);
  if (live) {
    return;
  }
  for (const found of findCards(notebook)) {
    if (found.card.job === card.job) {
      found.cell.outputs.set(found.index, { output_type: 'display_data', data, metadata: {} });
    }
  }
}

interface IFoundCard {
  card: ISavedCard;
  cell: ICodeCellModel;
  index: number;
}

/** The cards of a notebook that tell of live jobs; of a cell that Jupyter does not trust none is believed. */
function findCards(notebook: NotebookPanel): IFoundCard[] {
  const found: IFoundCard[] = [];
  for (const each of notebook.isDisposed ? [] : (notebook.model?.cells ?? [])) {
    const cell = each as ICodeCellModel;
    if (each.type === 'code' && each.trusted) {
      for (let index = 0; index < cell.outputs.length; index++) {
        const card = readSavedCard(cell.outputs.get(index).metadata);
        if (card !== null) {
          found.push({ card, cell, index });
        }
      }
    }
  }
  return found;
}
