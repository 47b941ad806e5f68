/**
 * Training jobs in JupyterLab's own panel of what runs.
 */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { jobsIcon } from '../components/icons';
import { namePhase } from '../components/texts';
import { CommandIDs, IJobRow } from '../tokens';
import { act } from '../widgets/job_actions';
import { DOMAIN } from '../widgets/panel';
import { IPanel } from './panel_token';

export const runningPlugin: JupyterFrontEndPlugin<void> = {
  id: '@sm-remote/labextension:running',
  description: 'Lists training jobs among the running sessions.',
  autoStart: true,
  requires: [IPanel],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    panel: IPanel,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ) => {
    const { jobs } = panel.model;
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const toItem = (row: IJobRow): IRunningSessions.IRunningItem => ({
      icon: () => jobsIcon,
      label: () => row.name,
      detail: () => namePhase(row.secondaryStatus ?? row.status, trans),
      open: () => void app.commands.execute(CommandIDs.openJob, { name: row.name, target: row.target }),
      shutdown: () => void act(() => jobs.stop(row), trans)
    });
    managers?.add({
      name: trans.__('Training Jobs'),
      running: () => jobs.running.map(toItem),
      runningChanged: jobs.changed,
      refreshRunning: () => void jobs.refresh(),
      shutdownAll: () => jobs.running.forEach(row => void act(() => jobs.stop(row), trans)),
      shutdownLabel: trans.__('Stop'),
      shutdownAllLabel: trans.__('Stop All'),
      shutdownAllConfirmationText: trans.__('Stop all training jobs that are listed here?')
    });
  }
};
