/**
 * The panel's plugins.
 */
import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { cellsPlugin } from './plugins/cells';
import { jobsPlugin } from './plugins/jobs';
import { notebooksPlugin } from './plugins/notebooks';
import { notificationsPlugin } from './plugins/notifications';
import { panelPlugin } from './plugins/panel';
import { runningPlugin } from './plugins/running';
import { statusPlugin } from './plugins/status';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  panelPlugin,
  jobsPlugin,
  notebooksPlugin,
  cellsPlugin,
  statusPlugin,
  runningPlugin,
  notificationsPlugin
];

export default plugins;
