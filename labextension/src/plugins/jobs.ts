/**
 * Provides the jobs to other extensions.
 */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { CommandIDs, ISmRemote } from '../tokens';
import { IPanel } from './panel_token';

export const jobsPlugin: JupyterFrontEndPlugin<ISmRemote> = {
  id: '@sm-remote/labextension:jobs',
  description: 'Provides the list of training jobs.',
  autoStart: true,
  provides: ISmRemote,
  requires: [IPanel],
  activate: (app: JupyterFrontEnd, panel: IPanel): ISmRemote => ({
    jobs: panel.model.jobs,
    open: jobName => {
      if (jobName === undefined) {
        panel.open();
      } else {
        void app.commands.execute(CommandIDs.openJob, { name: jobName, target: panel.model.jobs.target });
      }
    }
  })
};
