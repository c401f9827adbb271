// The preview card: a mirror, switches and choices for camera and microphone, and words when one is missing.
import { Avatar } from '../ui/avatar';
import { Icon } from '../ui/icons';
import { Video } from '../ui/video';
import { DeviceSelect } from './device-select';
import { MicLevel } from './mic-level';
import type { Preview } from './use-preview';

interface Props {
  preview: Preview;
  identity: string;
  name: string;
}

export function PreviewCard({ preview, identity, name }: Props) {
  const { camera, mic, opening, asleep, problems, isOn } = preview;
  return (
    <section className="preview" aria-label="Camera and microphone">
      <div className="preview-stage">
        {camera ? (
          <Video track={camera} className="mirrored" data-testid="preview-video" aria-label="Your camera" />
        ) : (
          <div className="preview-empty">
            <Avatar identity={identity} name={name || '?'} />
            {asleep ? (
              <button type="button" className="button preview-start" onClick={preview.start}>
                <Icon name="camera" size={20} /> Check camera and microphone
              </button>
            ) : (
              <p>{opening ? 'Starting…' : 'Your camera is off'}</p>
            )}
          </div>
        )}
        {mic && <MicLevel key={mic.sid ?? mic.mediaStreamID} track={mic} />}
        <div className="preview-switches">
          <button
            type="button"
            className="round-button"
            data-testid="preview-mic-toggle"
            aria-pressed={isOn.mic}
            aria-label={isOn.mic ? 'Switch microphone off' : 'Switch microphone on'}
            title={isOn.mic ? 'Switch microphone off' : 'Switch microphone on'}
            onClick={() => preview.toggle('mic')}
          >
            <Icon name={isOn.mic ? 'mic' : 'mic-off'} />
          </button>
          <button
            type="button"
            className="round-button"
            data-testid="preview-camera-toggle"
            aria-pressed={isOn.camera}
            aria-label={isOn.camera ? 'Switch camera off' : 'Switch camera on'}
            title={isOn.camera ? 'Switch camera off' : 'Switch camera on'}
            onClick={() => preview.toggle('camera')}
          >
            <Icon name={isOn.camera ? 'camera' : 'camera-off'} />
          </button>
        </div>
      </div>
      {[problems.camera, problems.mic].map(
        (problem) =>
          problem && (
            <p
              key={problem.kind}
              className="preview-problem"
              role="status"
              data-testid="notice"
              data-kind={problem.kind}
            >
              <Icon name={problem.kind === 'mic' ? 'mic-off' : 'camera-off'} size={20} />
              <span>
                <strong>{problem.title}.</strong> {problem.text}
              </span>
            </p>
          ),
      )}
      <div className="preview-selects">
        <DeviceSelect
          icon="camera"
          label="Camera"
          testId="preview-camera-select"
          devices={preview.cameras}
          chosen={preview.chosen.camera ?? camera?.mediaStreamTrack.getSettings().deviceId}
          onChoose={(id) => preview.choose('camera', id)}
        />
        <DeviceSelect
          icon="mic"
          label="Microphone"
          testId="preview-mic-select"
          devices={preview.mics}
          chosen={preview.chosen.mic ?? mic?.mediaStreamTrack.getSettings().deviceId}
          onChoose={(id) => preview.choose('mic', id)}
        />
      </div>
    </section>
  );
}
