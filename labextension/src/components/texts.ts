/**
 * What the panel says: words for states, settings and problems, through the translator.
 */
import { TranslationBundle } from '@jupyterlab/translation';

import { IJobRow, IProblem } from '../tokens';

export function nameStatus(row: IJobRow, stopping: boolean, trans: TranslationBundle): string {
  if (stopping || row.status === 'Stopping') {
    return trans.__('Stopping');
  }
  switch (row.status) {
    case 'Completed':
      return trans.__('Completed');
    case 'Failed':
      return trans.__('Failed');
    case 'Stopped':
      return trans.__('Stopped');
    default:
      return namePhase(row.secondaryStatus ?? 'InProgress', trans);
  }
}

/** A secondary status of SageMaker's in words; one that is not known here as it is. */
export function namePhase(status: string, trans: TranslationBundle): string {
  const names: Record<string, string> = {
    InProgress: trans.__('In progress'),
    Pending: trans.__('Waiting for capacity'),
    Starting: trans.__('Starting'),
    Downloading: trans.__('Downloading'),
    DownloadingTrainingImage: trans.__('Downloading image'),
    Training: trans.__('Training'),
    Uploading: trans.__('Uploading'),
    Interrupted: trans.__('Interrupted'),
    Restarting: trans.__('Restarting'),
    MaxRuntimeExceeded: trans.__('Max runtime exceeded'),
    MaxWaitTimeExceeded: trans.__('Max wait time exceeded'),
    Stopping: trans.__('Stopping'),
    Stopped: trans.__('Stopped'),
    Failed: trans.__('Failed'),
    Completed: trans.__('Completed')
  };
  return names[status] ?? status;
}

export function nameTarget(target: string, trans: TranslationBundle): string {
  return target === 'sagemaker' ? trans.__('Amazon SageMaker') : trans.__('this computer');
}

export function nameGroup(group: string, trans: TranslationBundle): string {
  const names: Record<string, string> = {
    where: trans.__('Where'),
    machine: trans.__('Machine'),
    cost: trans.__('Cost'),
    spot: trans.__('Spot and checkpoints'),
    warm_pool: trans.__('Warm pool'),
    environment: trans.__('Environment'),
    labels: trans.__('Names and labels'),
    data: trans.__('Data'),
    attempts: trans.__('Attempts'),
    processes: trans.__('Several processes'),
    limits: trans.__('Limits'),
    network: trans.__('Network'),
    keys: trans.__('Keys and owner'),
    calls: trans.__('In the notebook'),
    local: trans.__('On this computer'),
    advanced: trans.__('Advanced')
  };
  return names[group] ?? group;
}

export function nameSetting(name: string, trans: TranslationBundle): string {
  const names: Record<string, string> = {
    target: trans.__('Target'),
    region: trans.__('Region'),
    role: trans.__('Execution role'),
    instance_type: trans.__('Instance type'),
    instance_count: trans.__('Instance count'),
    volume_size: trans.__('Disk (GB)'),
    max_runtime_in_seconds: trans.__('Max runtime (s)'),
    max_cost: trans.__('Max cost ($)'),
    max_cost_per_day: trans.__('Max cost a day ($)'),
    use_spot_instances: trans.__('Spot capacity'),
    max_wait_time_in_seconds: trans.__('Max wait (s)'),
    fallback: trans.__('Without spot capacity'),
    checkpoint_s3_uri: trans.__('Checkpoint location'),
    checkpoint_local_path: trans.__('Checkpoint directory'),
    keep_alive_period_in_seconds: trans.__('Keep alive (s)'),
    image_uri: trans.__('Image'),
    dependencies: trans.__('Dependencies'),
    environment_variables: trans.__('Environment variables'),
    include_local_workdir: trans.__('Send the working directory'),
    pre_execution_commands: trans.__('Commands before the function'),
    pre_execution_script: trans.__('Script before the function'),
    job_conda_env: trans.__('Conda environment'),
    inputs: trans.__('Input channels'),
    s3_root_uri: trans.__('Storage location'),
    disable_output_compression: trans.__('Store output files one by one'),
    retry_on: trans.__('Try again after'),
    max_attempts: trans.__('Attempts in all'),
    max_retry_attempts: trans.__('After internal errors'),
    resume: trans.__('Go on from checkpoints'),
    use_torchrun: trans.__('torchrun'),
    use_mpirun: trans.__('mpirun'),
    nproc_per_node: trans.__('Processes per machine'),
    enable_network_isolation: trans.__('Network isolation'),
    subnets: trans.__('Subnets'),
    security_group_ids: trans.__('Security groups'),
    encrypt_inter_container_traffic: trans.__('Encrypt between machines'),
    s3_kms_key: trans.__('KMS key for S3'),
    volume_kms_key: trans.__('KMS key for the disk'),
    bucket_owner: trans.__('Owner of the buckets'),
    stream_logs: trans.__('Show the log'),
    on_interrupt: trans.__('At an interrupt'),
    preflight: trans.__('Look for modules first'),
    max_parallel_jobs: trans.__('Jobs at once'),
    secrets: trans.__('Secrets'),
    cell_limit_bytes: trans.__('Cell asks from (bytes)'),
    inputs_limit_bytes: trans.__('Most of a channel (bytes)'),
    local_workdir_limit_bytes: trans.__('Most of the directory (bytes)'),
    install_limit_s: trans.__('Installing at most (s)'),
    checkpoint_warning_s: trans.__('Checkpoint too old after (s)'),
    training_plan_arn: trans.__('Training plan'),
    max_pending_time_in_seconds: trans.__('Max pending time (s)'),
    training_repository_access_mode: trans.__('Registry of the image'),
    training_repository_credentials_provider_arn: trans.__('Credentials of that registry'),
    enable_remote_debug: trans.__('Shell into containers'),
    enable_infra_check: trans.__('Check the machines first'),
    enable_session_tag_chaining: trans.__('Pass session tags on'),
    enable_sagemaker_metrics: trans.__('Keep metrics as a series'),
    engine: trans.__('Engine'),
    container_credentials: trans.__('Credentials in containers'),
    service_max_parallel_jobs: trans.__('Local jobs at once'),
    service_idle_s: trans.__('Service ends after (s)'),
    job_name_prefix: trans.__('Job name prefix'),
    tags: trans.__('Tags'),
    hyperparameters: trans.__('Hyperparameters')
  };
  return names[name] ?? name.replace(/_/g, ' ').replace(/^./, first => first.toUpperCase());
}

/** Where a value comes from, in few words; the whole path is the tooltip's. */
export function nameOrigin(origin: string, trans: TranslationBundle): string {
  if (origin === 'default') {
    return trans.__('default');
  }
  if (origin === 'notebook') {
    return trans.__('this notebook');
  }
  return origin.includes('/') ? origin.slice(origin.lastIndexOf('/') + 1) : origin;
}

/** The message and the mend of a state in which the panel cannot do its work. */
export function explainProblem(problem: IProblem, trans: TranslationBundle): IProblem {
  const known = findKnown(problem.code, trans);
  return known === null
    ? problem
    : { ...problem, what: known[0], why: problem.why || problem.what, fix: known[1] || problem.fix };
}

function findKnown(code: string, trans: TranslationBundle): [string, string] | null {
  switch (code) {
    case 'no_extension':
      return [
        trans.__('The Jupyter server does not have sm_remote.'),
        trans.__('In the environment of the server: pip install sm-remote, then restart it.')
      ];
    case 'no_server':
      return [
        trans.__('The Jupyter server does not answer.'),
        trans.__('Jobs go on without it. The panel tries again by itself.')
      ];
    case 'no_engine':
      return [trans.__('No container engine answers.'), ''];
    case 'no_service':
      return [trans.__('The training-job API does not answer.'), ''];
    case 'no_credentials':
      return [trans.__('There are no AWS credentials.'), ''];
    case 'expired_credentials':
      return [trans.__('The AWS credentials have expired.'), ''];
    case 'no_permission':
      return [
        trans.__('AWS does not allow this.'),
        trans.__('Ask whoever manages your account for the permission that is named above.')
      ];
    case 'no_region':
      return [trans.__('No AWS region is set.'), trans.__('Choose one under “This notebook”, Region.')];
    case 'offline':
      return [trans.__('AWS cannot be reached.'), trans.__('Check the network; the panel tries again by itself.')];
    case 'throttled':
      return [trans.__('AWS asks for fewer requests.'), trans.__('The panel waits, and tries again by itself.')];
    default:
      return null;
  }
}
