/**
 * What the buttons of a job do: they ask where that is due, act through the models, and say what went wrong.
 */
import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { ApiError, toProblem } from '../api/client';
import { IJobActions } from '../components/job_view';
import { explainProblem } from '../components/texts';
import { JobsModel } from '../model/jobs';
import { OpenJobModel } from '../model/open_job';
import { CommandIDs, IJobRow } from '../tokens';

/** Runs what may fail, and says so in a notification. */
export async function act(work: () => Promise<unknown>, trans: TranslationBundle): Promise<void> {
  try {
    await work();
  } catch (error) {
    const problem = explainProblem(toProblem(error), trans);
    const said = [problem.what, problem.why, problem.fix].filter(Boolean).join(' ');
    Notification.error(said, { autoClose: error instanceof ApiError ? 8000 : false });
  }
}

/** Asks, and stops a job. */
export async function stopJob(jobs: JobsModel, row: IJobRow, trans: TranslationBundle): Promise<void> {
  const answer = await showDialog({
    title: trans.__('Stop this job?'),
    body: trans.__('%1 ends now. What it wrote to its output and its checkpoints is kept, its value is not.', row.name),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Let it run') }),
      Dialog.warnButton({ label: trans.__('Stop') })
    ]
  });
  if (answer.button.accept) {
    await act(() => jobs.stop(row), trans);
  }
}

interface IOptions {
  job: OpenJobModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
  back: (() => void) | null;
  show: (name: string) => void;
  openLarge: (() => void) | null;
}

export function makeJobActions(options: IOptions): IJobActions {
  const { job, commands, trans, back, show, openLarge } = options;
  return {
    back,
    openLarge,
    stop: () => job.row && void stopJob(job.jobs, job.row, trans),
    replay: () => void act(async () => show(await job.replay()), trans),
    attach: () =>
      void commands.execute(CommandIDs.attachJob, {
        name: job.name,
        target: job.target,
        function: job.row?.function ?? null
      }),
    copyName: () => Clipboard.copyToSystem(job.name),
    downloadLog: () => void act(async () => save(await job.log.download(), `${job.name}.log`), trans),
    downloadArtefact: file =>
      void act(async () => save(await job.download(file.path), file.path.split('/').pop() ?? 'file'), trans)
  };
}

function save(content: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
