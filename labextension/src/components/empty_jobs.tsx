import { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import { Target } from '../tokens';

const EXAMPLE = `from sm_remote import remote

@remote
def add(a, b):
    return a + b

add(2, 3)`;

/** What a person sees who has no job yet: how to make the first. */
export function EmptyJobs({ target, trans }: { target: Target; trans: TranslationBundle }): JSX.Element {
  return (
    <div className="sm-Empty">
      <h3>{trans.__('No training jobs yet')}</h3>
      <p>
        {target === 'local'
          ? trans.__('Run this in a notebook cell. It runs in a container on this computer, and costs nothing:')
          : trans.__('Set the target to “sagemaker” above, and run this in a notebook cell:')}
      </p>
      <pre>{EXAMPLE}</pre>
      <p>
        {trans.__('The job appears here at once. What machine it gets, you choose under “This notebook”.')}
      </p>
      <button type="button" className="sm-Button" onClick={() => void navigator.clipboard?.writeText(EXAMPLE)}>
        {trans.__('Copy the example')}
      </button>
    </div>
  );
}
