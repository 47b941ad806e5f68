/**
 * What the panel's own plugins share. Other extensions use `ISmRemote`.
 */
import { Token } from '@lumino/coreutils';

import { Client } from '../api/client';
import { PanelModel } from '../model/panel';

export interface IPanel {
  client: Client;
  model: PanelModel;
  /** Shows the sidebar. */
  open: () => void;
}

export const IPanel = new Token<IPanel>('@sm-remote/labextension:IPanel', 'The parts of the training-jobs panel.');
