import { TranslationBundle } from '@jupyterlab/translation';
import { infoIcon as errorIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { IProblem } from '../tokens';
import { explainProblem } from './texts';

interface IProps {
  problem: IProblem;
  trans: TranslationBundle;
  onRetry?: () => void;
}

/** What is wrong, why, and what mends it. */
export function ProblemMessage({ problem, trans, onRetry }: IProps): JSX.Element {
  const shown = explainProblem(problem, trans);
  return (
    <div className="sm-Problem" role="alert" data-code={problem.code}>
      <errorIcon.react tag="span" className="sm-Icon" aria-hidden="true" />
      <div>
        <strong>{shown.what}</strong>
        {shown.why && shown.why !== shown.what && <p className="sm-Problem-why">{shown.why}</p>}
        {shown.fix && <p>{shown.fix}</p>}
        {onRetry && (
          <button type="button" className="sm-Button" onClick={onRetry}>
            {trans.__('Try again')}
          </button>
        )}
      </div>
    </div>
  );
}
