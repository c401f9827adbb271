// Opens camera and microphone with as few questions to the person as the browser allows, and opens one when
// the other is refused or missing.
import {
  createLocalAudioTrack,
  createLocalTracks,
  createLocalVideoTrack,
  LocalAudioTrack,
  LocalVideoTrack,
  VideoPresets,
} from 'livekit-client';
import { InsecurePageError } from '../words';

export interface DeviceChoice {
  mic: boolean;
  camera: boolean;
  micId?: string | undefined;
  cameraId?: string | undefined;
}

export interface OpenedDevices {
  mic?: LocalAudioTrack;
  camera?: LocalVideoTrack;
  micError?: unknown;
  cameraError?: unknown;
}

export const micOptions = (deviceId?: string) => ({
  deviceId,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
});

export const cameraOptions = (deviceId?: string) => ({
  deviceId,
  resolution: VideoPresets.h720.resolution,
});

/** Never rejects: what could not be opened comes back as an error beside what could. */
export async function openDevices(choice: DeviceChoice): Promise<OpenedDevices> {
  // Absent on insecure pages, whatever the DOM types say.
  if (!(navigator.mediaDevices as MediaDevices | undefined)) {
    const error = new InsecurePageError();
    return { ...(choice.mic && { micError: error }), ...(choice.camera && { cameraError: error }) };
  }
  if (!choice.mic || !choice.camera) return openEach(choice);
  try {
    const tracks = await createLocalTracks({
      audio: micOptions(choice.micId),
      video: cameraOptions(choice.cameraId),
    });
    return {
      mic: tracks.find((t) => t instanceof LocalAudioTrack),
      camera: tracks.find((t) => t instanceof LocalVideoTrack),
    };
  } catch (error) {
    if (!isRefusal(error)) return openEach(choice);
    // Refused together: ask no second time, but use whichever of the two the browser already allows.
    const [micAllowed, cameraAllowed] = await Promise.all([isAllowed('microphone'), isAllowed('camera')]);
    const opened = await openEach({ ...choice, mic: micAllowed, camera: cameraAllowed });
    return {
      ...opened,
      ...(!micAllowed && { micError: error }),
      ...(!cameraAllowed && { cameraError: error }),
    };
  }
}

async function openEach({ mic, camera, micId, cameraId }: DeviceChoice): Promise<OpenedDevices> {
  const opened: OpenedDevices = {};
  // One after the other: two questions at once confuse people and some browsers.
  if (mic) {
    try {
      opened.mic = await createLocalAudioTrack(micOptions(micId));
    } catch (error) {
      opened.micError = error;
    }
  }
  if (camera) {
    try {
      opened.camera = await createLocalVideoTrack(cameraOptions(cameraId));
    } catch (error) {
      opened.cameraError = error;
    }
  }
  return opened;
}

const isRefusal = (error: unknown) => error instanceof Error && error.name === 'NotAllowedError';

/** Whether the browser gives the device without asking. Browsers that can't tell count as no. */
export async function isAllowed(name: 'camera' | 'microphone'): Promise<boolean> {
  try {
    const status = await navigator.permissions.query({ name });
    return status.state === 'granted';
  } catch {
    return false;
  }
}
