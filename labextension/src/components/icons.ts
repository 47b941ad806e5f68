/**
 * The panel's own icon; all others are JupyterLab's. The class has themes colour it.
 */
import { LabIcon } from '@jupyterlab/ui-components';

export const jobsIcon = new LabIcon({
  name: '@sm-remote/labextension:jobs',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M12 2 3 6.5v11L12 22l9-4.5v-11L12 2zm0 2.2 6.2 3.1L12 10.4 5.8 7.3 12 4.2zM5 9l6 3v7.3l-6-3V9zm8 10.3V12l6-3v7.3l-6 3z"/>
  </g>
</svg>`
});
