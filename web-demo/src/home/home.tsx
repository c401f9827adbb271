// The page before a call: who are you, which room, how do you look. A room link has the room filled in.
import { useEffect, useMemo, useState, type SubmitEvent } from 'react';
import { PreviewCard } from '../preview/preview';
import { usePreview } from '../preview/use-preview';
import { MAX_NAME_LENGTH, MAX_ROOM_LENGTH, roomName } from '../routes';
import { inviteRole } from '../room/invite';
import { isAllowed } from '../session/devices';
import type { Entry } from '../session/enter';
import { identity, lastName } from '../session/identity';
import { readSwitches } from '../session/switches';
import { Icon } from '../ui/icons';
import { Logo } from '../ui/logo';
import { suggestRoom } from './suggest-room';

interface Props {
  /** The room of the link that led here; none on the home page. */
  linkedRoom: string | undefined;
  onJoin: (entry: Entry) => void;
  onHome: () => void;
}

export function Home({ linkedRoom, onJoin, onHome }: Props) {
  const switches = useMemo(() => readSwitches(window.location.search), []);
  const [name, setName] = useState(() => switches.name ?? lastName());
  const [room, setRoom] = useState(() => linkedRoom ?? suggestRoom());
  const [missing, setMissing] = useState<'name' | 'room'>();
  // A room link means a call is about to be joined; the home page doesn't ask for a camera unasked.
  const invited = linkedRoom !== undefined;
  // Who comes to listen is not asked for a camera.
  const listens = inviteRole(switches.invite) === 'listener';
  const preview = usePreview(invited && !listens, { camera: switches.camera, mic: switches.mic });

  const { start } = preview;
  useEffect(() => {
    if (invited || listens) return;
    let here = true;
    void Promise.all([isAllowed('camera'), isAllowed('microphone')]).then((allowed) => {
      if (here && allowed.every(Boolean)) start();
    });
    return () => {
      here = false;
    };
    // Once, when the page opens.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const chosen = { name: name.trim(), room: roomName(room) };
    if (!chosen.name) return setMissing('name');
    if (!chosen.room) return setMissing('room');
    const { wants, chosen: devices } = preview;
    onJoin({
      ...chosen,
      mic: wants.mic,
      camera: wants.camera,
      micId: devices.mic,
      cameraId: devices.camera,
      opened: preview.takeTracks(),
    });
  };

  return (
    <div className="home">
      <header className="home-header">
        <a
          className="brand"
          href="/"
          onClick={(event) => {
            event.preventDefault();
            onHome();
          }}
        >
          <Logo size={36} />
          <span>Ramai</span>
        </a>
      </header>
      <main className="home-main">
        <form className="home-form" onSubmit={submit} noValidate>
          <h1>{invited ? 'Ready to join?' : 'Everyone, in one call.'}</h1>
          <p className="lead">
            {invited
              ? listens
                ? 'You are invited to listen: no camera, no microphone.'
                : 'Have a look at yourself, then step in.'
              : 'Pick a room, send the link, talk. No account, no time limit, on your own server.'}
          </p>
          <label className="field">
            <span>Your name</span>
            <input
              data-testid="name-input"
              value={name}
              maxLength={MAX_NAME_LENGTH}
              autoComplete="name"
              placeholder="How others see you"
              autoFocus={!name}
              aria-invalid={missing === 'name'}
              aria-describedby={missing === 'name' ? 'name-missing' : undefined}
              onChange={(event) => {
                setName(event.target.value);
                setMissing(undefined);
              }}
            />
            {missing === 'name' && (
              <span className="field-problem" id="name-missing" role="alert">
                Please type your name.
              </span>
            )}
          </label>
          <label className="field">
            <span>Room</span>
            <span className="field-row">
              <input
                data-testid="room-input"
                value={room}
                // A pasted link is longer than the room name in it.
                maxLength={MAX_ROOM_LENGTH + 512}
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                placeholder="Room name or link"
                aria-invalid={missing === 'room'}
                aria-describedby={missing === 'room' ? 'room-missing' : undefined}
                onChange={(event) => {
                  setRoom(event.target.value);
                  setMissing(undefined);
                }}
                onBlur={() => setRoom((typed) => roomName(typed) || typed)}
              />
              {!invited && (
                <button
                  type="button"
                  className="field-action"
                  aria-label="Suggest another room name"
                  title="Suggest another room name"
                  onClick={() => setRoom(suggestRoom())}
                >
                  <Icon name="refresh" size={20} />
                </button>
              )}
            </span>
            {missing === 'room' && (
              <span className="field-problem" id="room-missing" role="alert">
                Please choose a room name with letters or digits.
              </span>
            )}
          </label>
          <button type="submit" className="button button-primary" data-testid="join-button">
            Join call
          </button>
        </form>
        {!listens && <PreviewCard preview={preview} identity={identity()} name={name} />}
      </main>
      <footer className="home-footer">Sound and picture go through this server only.</footer>
    </div>
  );
}
