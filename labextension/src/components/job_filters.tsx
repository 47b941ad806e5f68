import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect } from '@jupyterlab/ui-components';
import React from 'react';

import { IJobFilter } from '../model/job_filter';
import { JobsModel } from '../model/jobs';
import { Target } from '../tokens';

interface IProps {
  filter: IJobFilter;
  notebooks: string[];
  jobs: JobsModel;
  trans: TranslationBundle;
  onChange: (filter: IJobFilter) => void;
}

/** Text, state, notebook and place. */
export function JobFilters({ filter, notebooks, jobs, trans, onChange }: IProps): JSX.Element {
  const states = [
    { value: '', label: trans.__('All states') },
    { value: 'running', label: trans.__('Running') },
    { value: 'Completed', label: trans.__('Completed') },
    { value: 'Failed', label: trans.__('Failed') },
    { value: 'Stopped', label: trans.__('Stopped') }
  ];
  const places = [
    { value: 'local', label: trans.__('This computer') },
    { value: 'sagemaker', label: trans.__('SageMaker') }
  ];
  const from = [{ value: '', label: trans.__('All notebooks') }, ...notebooks.map(name => ({ value: name, label: name }))];
  return (
    <div className="sm-Filters" role="search" aria-label={trans.__('Filter the jobs')}>
      <input
        type="search"
        className="jp-mod-styled sm-Filters-text"
        placeholder={trans.__('Filter by name, notebook, type')}
        aria-label={trans.__('Filter by text')}
        value={filter.text}
        onChange={event => onChange({ ...filter, text: event.target.value })}
      />
      <HTMLSelect
        aria-label={trans.__('Where jobs run')}
        value={jobs.target}
        options={places}
        onChange={event => (jobs.target = event.target.value as Target)}
      />
      <HTMLSelect
        aria-label={trans.__('Filter by state')}
        value={filter.state}
        options={states}
        onChange={event => onChange({ ...filter, state: event.target.value })}
      />
      {notebooks.length > 0 && (
        <HTMLSelect
          aria-label={trans.__('Filter by notebook')}
          value={filter.notebook}
          options={from}
          onChange={event => onChange({ ...filter, notebook: event.target.value })}
        />
      )}
      {jobs.target === 'sagemaker' && (
        <label className="sm-Check">
          <input
            type="checkbox"
            checked={filter.others}
            onChange={event => onChange({ ...filter, others: event.target.checked })}
          />
          {trans.__('Also jobs that sm_remote did not make')}
        </label>
      )}
    </div>
  );
}
