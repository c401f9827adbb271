// Camera and microphone before the call: what is open, what the person chose, what went wrong.
import type { LocalAudioTrack, LocalVideoTrack } from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { openDevices, type OpenedDevices } from '../session/devices';
import { problemOfDevice, type Problem } from '../words';

export type PreviewDevice = 'camera' | 'mic';

const DEVICES = ['camera', 'mic'] as const satisfies PreviewDevice[];

export interface Preview {
  camera: LocalVideoTrack | undefined;
  mic: LocalAudioTrack | undefined;
  /** Whether the person wants the device in the call, open or not yet. */
  wants: Record<PreviewDevice, boolean>;
  problems: Partial<Record<PreviewDevice, Problem>>;
  opening: boolean;
  /** Whether nothing has been asked for yet. */
  asleep: boolean;
  /** How the switches stand: open or, until that is known, wanted. */
  isOn: Record<PreviewDevice, boolean>;
  cameras: MediaDeviceInfo[];
  mics: MediaDeviceInfo[];
  toggle: (device: PreviewDevice) => void;
  choose: (device: PreviewDevice, id: string) => void;
  chosen: Partial<Record<PreviewDevice, string>>;
  /** Opens what is wanted; for the page that doesn't ask by itself. */
  start: () => void;
  /**
   * Hands the open tracks over to the call: this preview then no longer closes them. `undefined` as long as not
   * everything wanted has been asked for; the call then asks.
   */
  takeTracks: () => OpenedDevices | undefined;
}

interface Tracks {
  camera?: LocalVideoTrack | undefined;
  mic?: LocalAudioTrack | undefined;
}

/** @param auto open the devices at once instead of waiting for `start` or a toggle */
export function usePreview(auto: boolean, wanted: Record<PreviewDevice, boolean>): Preview {
  const [tracks, setTracks] = useState<Tracks>({});
  const [wants, setWants] = useState(wanted);
  const [chosen, setChosen] = useState<Partial<Record<PreviewDevice, string>>>({});
  const [problems, setProblems] = useState<Preview['problems']>({});
  const [opening, setOpening] = useState(auto);
  const [asleep, setAsleep] = useState(!auto);
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  // What is open now, also for answers that come when the component has moved on or is gone.
  const open = useRef<Tracks>({});
  const gone = useRef(false);
  // Counts the changes of mind per device, so that a slow answer to an older one is recognised.
  const turn = useRef({ camera: 0, mic: 0 });

  const replace = useCallback((change: Tracks) => {
    for (const device of DEVICES) {
      if (device in change && open.current[device] !== change[device]) open.current[device]?.stop();
    }
    open.current = { ...open.current, ...change };
    setTracks(open.current);
  }, []);

  const openSome = useCallback(
    async (which: Record<PreviewDevice, boolean>, ids: Partial<Record<PreviewDevice, string>>) => {
      const asked = DEVICES.filter((device) => which[device]);
      if (asked.length === 0) {
        setOpening(false);
        return;
      }
      setOpening(true);
      const ticket = Object.fromEntries(asked.map((device) => [device, ++turn.current[device]]));
      const opened = await openDevices({ ...which, micId: ids.mic, cameraId: ids.camera });
      for (const device of asked) {
        // The person has switched off or chosen another one meanwhile, or joined.
        if (gone.current || ticket[device] !== turn.current[device]) {
          opened[device]?.stop();
          continue;
        }
        const error = device === 'mic' ? opened.micError : opened.cameraError;
        replace({ [device]: opened[device] });
        setProblems((before) => ({ ...before, [device]: problem(device, error) }));
        if (error !== undefined) setWants((before) => ({ ...before, [device]: false }));
      }
      if (gone.current) return;
      setOpening(false);
      setDevices(await listDevices());
    },
    [replace],
  );

  useEffect(() => {
    gone.current = false;
    const media = navigator.mediaDevices as MediaDevices | undefined;
    const onChange = () => void listDevices().then(setDevices);
    media?.addEventListener('devicechange', onChange);
    // eslint-disable-next-line react-hooks/set-state-in-effect -- opening a device is the outside world's news
    if (auto) void openSome(wanted, {});
    return () => {
      gone.current = true;
      media?.removeEventListener('devicechange', onChange);
      open.current.camera?.stop();
      open.current.mic?.stop();
    };
    // Once per page: `auto` and `wanted` are what the page was opened with.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const shownOn = (device: PreviewDevice) =>
    asleep || opening ? wants[device] : tracks[device] !== undefined;

  const toggle = (device: PreviewDevice) => {
    const on = !shownOn(device);
    const wanted = { ...wants, [device]: on };
    setWants(wanted);
    setProblems((before) => ({ ...before, [device]: undefined }));
    if (!on) {
      turn.current[device] += 1;
      replace({ [device]: undefined });
    } else if (asleep) {
      setAsleep(false);
      void openSome(wanted, chosen);
    } else {
      void openSome({ camera: device === 'camera', mic: device === 'mic' }, chosen);
    }
  };

  const choose = (device: PreviewDevice, id: string) => {
    const ids = { ...chosen, [device]: id };
    setChosen(ids);
    setWants((before) => ({ ...before, [device]: true }));
    // Firefox opens only one microphone at a time: the old one is closed first.
    replace({ [device]: undefined });
    void openSome({ camera: device === 'camera', mic: device === 'mic' }, ids);
  };

  return {
    ...{ camera: tracks.camera, mic: tracks.mic, wants, problems, opening, asleep, toggle, choose, chosen },
    cameras: devices.filter((d) => d.kind === 'videoinput' && d.deviceId !== ''),
    mics: devices.filter((d) => d.kind === 'audioinput' && d.deviceId !== ''),
    isOn: { camera: shownOn('camera'), mic: shownOn('mic') },
    start: () => {
      setAsleep(false);
      void openSome(wants, chosen);
    },
    takeTracks: () => {
      if (asleep || opening) return undefined;
      const taken = open.current;
      open.current = {};
      return taken;
    },
  };
}

const problem = (device: PreviewDevice, error: unknown) =>
  error === undefined ? undefined : problemOfDevice(device, error);

async function listDevices(): Promise<MediaDeviceInfo[]> {
  try {
    return await navigator.mediaDevices.enumerateDevices();
  } catch {
    return [];
  }
}
