// One row of the preview: which camera, or which microphone.
import { Icon, type IconName } from '../ui/icons';

interface Props {
  icon: IconName;
  label: string;
  testId: string;
  devices: MediaDeviceInfo[];
  chosen: string | undefined;
  onChoose: (deviceId: string) => void;
}

export function DeviceSelect({ icon, label, testId, devices, chosen, onChoose }: Props) {
  const known = devices.some((device) => device.deviceId === chosen);
  return (
    <label className="select">
      <Icon name={icon} size={20} />
      <select
        aria-label={label}
        data-testid={testId}
        disabled={devices.length === 0}
        value={known ? chosen : ''}
        onChange={(event) => onChoose(event.target.value)}
      >
        {!known && (
          <option value="">{devices.length === 0 ? label : `Default ${label.toLowerCase()}`}</option>
        )}
        {devices.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
    </label>
  );
}
