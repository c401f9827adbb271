// The bar at the bottom: microphone, camera, screen, chat, leave.
import type { Room } from 'livekit-client';
import type { RefObject } from 'react';
import type { CallSession, SessionState } from '../session/connect';
import { Icon, type IconName } from '../ui/icons';
import { useParticipantValue } from './participant-value';

interface Props {
  session: CallSession;
  state: SessionState;
  chatOpen: boolean;
  chatButton: RefObject<HTMLButtonElement | null>;
  unread: number;
  onChat: () => void;
}

export function Controls({ session, state, chatOpen, chatButton, unread, onChat }: Props) {
  const me = useLocal(session.room);
  // Without a connection the switches show what will be sent once there is one.
  const connected = state.phase === 'connected';
  const mic = connected ? me.mic : state.wantsMic;
  const camera = connected ? me.camera : state.wantsCamera;
  return (
    <nav className="controls" aria-label="Call controls">
      <Control
        testId="mic-button"
        icon={mic ? 'mic' : 'mic-off'}
        label={mic ? 'Mute microphone' : 'Unmute microphone'}
        pressed={mic}
        kind={mic ? 'on' : 'off'}
        onClick={() => void session.setMic(!mic)}
      />
      <Control
        testId="camera-button"
        icon={camera ? 'camera' : 'camera-off'}
        label={camera ? 'Switch camera off' : 'Switch camera on'}
        pressed={camera}
        kind={camera ? 'on' : 'off'}
        onClick={() => void session.setCamera(!camera)}
      />
      {canShareScreen() && (
        <Control
          testId="screen-button"
          icon="screen"
          label={me.screen ? 'Stop sharing your screen' : 'Share your screen'}
          pressed={me.screen}
          kind={me.screen ? 'active' : 'on'}
          onClick={() => void session.setScreen(!me.screen)}
        />
      )}
      <Control
        testId="chat-button"
        element={chatButton}
        icon="chat"
        label={unread > 0 ? `Chat, ${unread} unread` : 'Chat'}
        pressed={chatOpen}
        kind={chatOpen ? 'active' : 'on'}
        badge={unread}
        onClick={onChat}
      />
      <Control
        testId="leave-button"
        icon="leave"
        label="Leave the call"
        kind="leave"
        onClick={session.leave}
      />
    </nav>
  );
}

interface ControlProps {
  testId: string;
  icon: IconName;
  label: string;
  pressed?: boolean;
  kind: 'on' | 'off' | 'active' | 'leave';
  badge?: number;
  element?: RefObject<HTMLButtonElement | null>;
  onClick: () => void;
}

function Control({ testId, icon, label, pressed, kind, badge = 0, element, onClick }: ControlProps) {
  return (
    <button
      type="button"
      ref={element}
      className={`control control-${kind}`}
      data-testid={testId}
      aria-pressed={pressed}
      aria-label={label}
      title={label}
      onClick={onClick}
    >
      <Icon name={icon} size={kind === 'leave' ? 30 : 24} />
      {badge > 0 && (
        <span className="badge" data-testid="chat-unread" aria-hidden="true">
          {badge > 99 ? '99+' : badge}
        </span>
      )}
    </button>
  );
}

function useLocal(room: Room) {
  const me = room.localParticipant;
  return {
    mic: useParticipantValue(me, (p) => p.isMicrophoneEnabled),
    camera: useParticipantValue(me, (p) => p.isCameraEnabled),
    screen: useParticipantValue(me, (p) => p.isScreenShareEnabled),
  };
}

/** Phones' browsers don't share screens; `mediaDevices` is missing on insecure pages. */
function canShareScreen(): boolean {
  const media = navigator.mediaDevices as Partial<MediaDevices> | undefined;
  return typeof media?.getDisplayMedia === 'function';
}
