// The bar at the bottom: microphone, camera, screen, hand, people, chat, leave.
import type { Room } from 'livekit-client';
import type { RefObject } from 'react';
import { ATTRIBUTE } from '../room/person';
import type { CallSession, SessionState } from '../session/connect';
import { useStore } from '../session/store';
import { Icon, type IconName } from '../ui/icons';
import { useParticipantValue } from './participant-value';
import { useKeys } from './use-keys';

/** What is open beside the grid. */
export type Side = 'chat' | 'people';

interface Props {
  session: CallSession;
  state: SessionState;
  side: Side | undefined;
  sideButton: Record<Side, RefObject<HTMLButtonElement | null>>;
  unread: number;
  onSide: (side: Side) => void;
}

export function Controls({ session, state, side, sideButton, unread, onSide }: Props) {
  const me = useLocal(session.room);
  const { scene } = session.model;
  // Without a connection the switches show what will be sent once there is one.
  const connected = state.phase === 'connected';
  const mic = connected ? me.mic : state.wantsMic;
  const camera = connected ? me.camera : state.wantsCamera;
  const toggleMic = () => void session.setMic(!mic);
  const toggleCamera = () => void session.setCamera(!camera);
  const toggleHand = () => void session.raiseHand(!me.hand);
  useKeys({
    ...(me.publishes && { m: toggleMic, v: toggleCamera }),
    h: toggleHand,
    p: () => onSide('people'),
    c: () => onSide('chat'),
    g: () => scene.show(scene.get().view === 'grid' ? 'speaker' : 'grid'),
    PageDown: () => scene.turn(1),
    PageUp: () => scene.turn(-1),
    ArrowRight: () => scene.turn(1),
    ArrowLeft: () => scene.turn(-1),
    Escape: () => scene.pin(undefined),
  });
  return (
    <nav className="controls" aria-label="Call controls">
      {me.publishes && (
        <>
          <Control
            testId="mic-button"
            icon={mic ? 'mic' : 'mic-off'}
            label={mic ? 'Mute microphone' : 'Unmute microphone'}
            shortcut="M"
            pressed={mic}
            kind={mic ? 'on' : 'off'}
            onClick={toggleMic}
          />
          <Control
            testId="camera-button"
            icon={camera ? 'camera' : 'camera-off'}
            label={camera ? 'Switch camera off' : 'Switch camera on'}
            shortcut="V"
            pressed={camera}
            kind={camera ? 'on' : 'off'}
            onClick={toggleCamera}
          />
        </>
      )}
      {me.publishes && canShareScreen() && (
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
        testId="hand-button"
        icon="hand"
        label={me.hand ? 'Lower your hand' : 'Raise your hand'}
        shortcut="H"
        pressed={me.hand}
        kind={me.hand ? 'raised' : 'on'}
        onClick={toggleHand}
      />
      <PeopleControl session={session} open={side === 'people'} element={sideButton.people} onSide={onSide} />
      <Control
        testId="chat-button"
        element={sideButton.chat}
        icon="chat"
        label={unread > 0 ? `Chat, ${unread} unread` : 'Chat'}
        shortcut="C"
        pressed={side === 'chat'}
        kind={side === 'chat' ? 'active' : 'on'}
        badge={unread}
        badgeTestId="chat-unread"
        onClick={() => onSide('chat')}
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

interface PeopleControlProps {
  session: CallSession;
  open: boolean;
  element: RefObject<HTMLButtonElement | null>;
  onSide: (side: Side) => void;
}

/** With the number of those who want something: raised hands, and for hosts who waits at the door. */
function PeopleControl({ session, open, element, onSide }: PeopleControlProps) {
  const { others, waiting } = useStore(session.model.people);
  const hands = others.filter(({ hand }) => hand > 0).length;
  const asks = [
    hands > 0 && `${hands} with a hand raised`,
    waiting.length > 0 && `${waiting.length} waiting`,
  ];
  return (
    <Control
      testId="people-button"
      element={element}
      icon="people"
      label={['People', ...asks.filter(Boolean)].join(', ')}
      shortcut="P"
      pressed={open}
      kind={open ? 'active' : 'on'}
      badge={hands + waiting.length}
      badgeTestId="people-asking"
      onClick={() => onSide('people')}
    />
  );
}

interface ControlProps {
  testId: string;
  icon: IconName;
  label: string;
  shortcut?: string;
  pressed?: boolean;
  kind: 'on' | 'off' | 'active' | 'raised' | 'leave';
  badge?: number;
  badgeTestId?: string;
  element?: RefObject<HTMLButtonElement | null>;
  onClick: () => void;
}

function Control(props: ControlProps) {
  const { testId, icon, label, shortcut, pressed, kind, badge = 0, badgeTestId, element, onClick } = props;
  return (
    <button
      type="button"
      ref={element}
      className={`control control-${kind}`}
      data-testid={testId}
      aria-pressed={pressed}
      aria-label={label}
      aria-keyshortcuts={shortcut}
      title={shortcut ? `${label} (${shortcut})` : label}
      onClick={onClick}
    >
      <Icon name={icon} size={kind === 'leave' ? 30 : 24} />
      {badge > 0 && (
        <span className="badge" data-testid={badgeTestId} aria-hidden="true">
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
    hand: useParticipantValue(me, (p) => Boolean(p.attributes[ATTRIBUTE.hand])),
    publishes: useParticipantValue(me, (p) => p.permissions?.canPublish !== false),
  };
}

/** Phones' browsers don't share screens; `mediaDevices` is missing on insecure pages. */
function canShareScreen(): boolean {
  const media = navigator.mediaDevices as Partial<MediaDevices> | undefined;
  return typeof media?.getDisplayMedia === 'function';
}
