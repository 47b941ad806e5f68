/**
 * Says when a job has ended or its spot capacity was taken away, also while the panel is closed.
 */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { elapsedS, formatDuration } from '../model/format';
import { CommandIDs, IJobEnding } from '../tokens';
import { DOMAIN } from '../widgets/panel';
import { IPanel } from './panel_token';

const SHOWN_MS = 8000;

export const notificationsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@sm-remote/labextension:notifications',
  description: 'Tells when training jobs end.',
  autoStart: true,
  requires: [IPanel],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, panel: IPanel, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    panel.model.jobs.ended.connect((_, ending) => {
      const { row, kind } = ending;
      const show = {
        label: trans.__('Show'),
        callback: () => void app.commands.execute(CommandIDs.openJob, { name: row.name, target: row.target })
      };
      const type = kind === 'failed' ? 'error' : kind === 'finished' ? 'success' : 'warning';
      Notification.emit(describeEnding(ending, trans), type, {
        autoClose: kind === 'failed' ? false : SHOWN_MS,
        actions: [show]
      });
    });
  }
};

function describeEnding({ row, kind }: IJobEnding, trans: TranslationBundle): string {
  const took = formatDuration(elapsedS(row, Date.now()));
  switch (kind) {
    case 'finished':
      return trans.__('%1 has finished after %2.', row.name, took);
    case 'failed':
      return trans.__('%1 has failed after %2.', row.name, took);
    case 'stopped':
      return trans.__('%1 was stopped after %2.', row.name, took);
    default:
      return trans.__('%1 lost its spot capacity; SageMaker starts it again.', row.name);
  }
}
