// Entry of the demo page.
import { LogLevel, setLogLevel } from 'livekit-client';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import { enterFromAddress } from './session/enter';
import './styles/base.css';
import './styles/home.css';
import './styles/preview.css';
import './styles/call.css';
import './styles/tile.css';
import './styles/panel.css';
import './styles/chat.css';
import './styles/people.css';

setLogLevel(LogLevel.warn);

const root = document.getElementById('root');
if (root) createRoot(root).render(<App initial={enterFromAddress()} />);
