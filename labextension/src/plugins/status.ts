/**
 * The item in the status bar.
 */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { StatusItem } from '../widgets/status';
import { IPanel } from './panel_token';

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: '@sm-remote/labextension:status',
  description: 'Shows in the status bar how many training jobs run, and what an hour of them costs.',
  autoStart: true,
  requires: [IPanel],
  optional: [IStatusBar, ITranslator],
  activate: (_: JupyterFrontEnd, panel: IPanel, statusBar: IStatusBar | null, translator: ITranslator | null) => {
    statusBar?.registerStatusItem('@sm-remote/labextension:status', {
      item: new StatusItem(panel.model.jobs, panel.open, translator ?? nullTranslator),
      align: 'left',
      rank: 10
    });
  }
};
