/**
 * The item of the status bar: how many jobs run, and what an hour of them costs.
 */
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

import { useSignal } from '../components/use_signal';
import { formatUsd } from '../model/format';
import { IJobs } from '../tokens';
import { DOMAIN } from './panel';

export class StatusItem extends ReactWidget {
  constructor(
    private readonly _jobs: IJobs,
    private readonly _open: () => void,
    private readonly _translator: ITranslator
  ) {
    super();
    this.addClass('sm-StatusItem');
  }

  protected render(): JSX.Element {
    return <Item jobs={this._jobs} open={this._open} trans={this._translator.load(DOMAIN)} />;
  }
}

interface IProps {
  jobs: IJobs;
  open: () => void;
  trans: TranslationBundle;
}

function Item({ jobs, open, trans }: IProps): JSX.Element {
  useSignal(jobs.changed);
  const text = describeRunning(jobs, trans);
  return (
    <button type="button" className="sm-StatusItem-button" title={trans.__('Show the training jobs')} onClick={open}>
      {text}
    </button>
  );
}

function describeRunning(jobs: IJobs, trans: TranslationBundle): string {
  const count = jobs.running.length;
  const said = count === 0 ? trans.__('No jobs') : trans._n('%1 job running', '%1 jobs running', count);
  const prices = jobs.running.map(row => row.priceUsdPerHour);
  if (count === 0 || jobs.target === 'local') {
    return said;
  }
  if (prices.includes(null)) {
    return `${said} · ${trans.__('price unknown')}`;
  }
  const sum = prices.reduce<number>((total, price) => total + (price ?? 0), 0);
  return `${said} · ${trans.__('about %1/h', formatUsd(sum))}`;
}
