#!/usr/bin/env python3
"""Records the level traces in sfu/tests/levels: what the microphones of a few people would write into their packets (RFC 6464).

Speech is made by espeak-ng, everything else by sox (both are Debian packages); a trace holds no sound, only a level for each 20 ms.
Run it in the repository's root when a scene changes; the same scene gives the same trace.
"""

import array
import math
import subprocess
import tempfile
import wave
from pathlib import Path

RATE = 16_000
FRAME = RATE // 50
OUT = Path("sfu/tests/levels")

TEXTS = [
    "So the release went out on Tuesday, and as far as I can see nobody has complained about it yet, which is a good sign.",
    "I looked at the numbers this morning. They are better than last week, but we still lose a few people in the second step.",
    "Could we come back to the question from before? I am not sure that we all mean the same thing when we say finished.",
    "Yes, exactly. What I would like to do is write it down, send it around, and then decide on Thursday.",
]


def run(*args):
    subprocess.run([str(arg) for arg in args], check=True)


class Scene:
    """Some seconds of a meeting: a sound for each person, and when who really spoke."""

    def __init__(self, name, seconds, people):
        self.name, self.people = name, people
        self.sounds = {person: [0.0] * (RATE * seconds) for person in people}
        self.marks = []
        self.dir = tempfile.TemporaryDirectory()

    def add(self, person, at, samples, gain_db):
        gain, start, sound = 10 ** (gain_db / 20), int(at * RATE), self.sounds[person]
        for n, sample in enumerate(samples):
            if start + n < len(sound):
                sound[start + n] += sample * gain

    def load(self, source, effects):
        """The samples of what a sox command makes, without the dither that would differ from run to run."""
        path = Path(self.dir.name) / "out.wav"
        run("sox", "-V1", "-D", *source, "-r", RATE, "-c", 1, "-b", 16, path, *effects)
        with wave.open(str(path)) as file:
            samples = array.array("h", file.readframes(file.getnframes()))
        return [sample / 32768 for sample in samples]

    def speaks(self, person, at, text, voice="en", speed=165, gain=-8, until=None):
        """Somebody says a sentence, as loud as a headset makes it; `until` cuts it off."""
        path = Path(self.dir.name) / "speech.wav"
        run("espeak-ng", "-v", voice, "-s", speed, "-w", path, text)
        samples = self.load([path], ["silence", "1", "0.01", "1%"])
        if until is not None:
            samples = samples[: int((until - at) * RATE)]
        self.add(person, at, samples, gain)
        end = at + len(samples) / RATE
        self.marks.append((person, "speaks", at, end))
        return end

    def coughs(self, person, at, gain=-4):
        """Two bursts of noise with a sharp attack, a third of a second in all."""
        for offset, length in [(0.0, 0.16), (0.24, 0.12)]:
            shape = ["band", "700", "900", "fade", "l", 0.005, length, length * 0.7, "norm", -6]
            burst = self.load(["-R", "-n"], ["synth", length, "whitenoise", *shape])
            self.add(person, at + offset, burst, gain)
        self.marks.append((person, "coughs", at, at + 0.36))

    def types(self, person, at, until, gain=-14):
        """Keys: clicks of 12 ms, seven a second, in no regular beat."""
        shape = ["highpass", "1500", "fade", "l", 0.001, 0.012, 0.008, "norm", -3]
        click = self.load(["-R", "-n"], ["synth", 0.012, "whitenoise", *shape])
        n = 0
        while at < until:
            self.add(person, at, click, gain - 2 * (n % 3))
            at += 0.09 + 0.05 * ((n * 7) % 4)
            n += 1
        self.marks.append((person, "types", at, until))

    def hums(self, person, kind, gain):
        """A room, or a fan: noise from the beginning to the end."""
        seconds = len(self.sounds[person]) / RATE
        self.add(person, 0, self.load(["-R", "-n"], ["synth", seconds, kind, "norm", -3]), gain)

    def write(self):
        lines = [
            f"# {self.name}: levels in -dBov (RFC 6464), two hexadecimal digits for each 20 ms, a second a line.",
            "# Made by scripts/record-levels.py.",
        ]
        for person, does, start, end in sorted(self.marks, key=lambda mark: mark[2]):
            if does != "types":
                lines.append(f"mark {person} {does} {start:.2f} {end:.2f}")
        for person, sound in self.sounds.items():
            lines.append(f"person {person}")
            levels = [level(sound[n : n + FRAME]) for n in range(0, len(sound), FRAME)]
            lines.extend("".join(f"{value:02x}" for value in levels[n : n + 50]) for n in range(0, len(levels), 50))
        (OUT / f"{self.name}.txt").write_text("\n".join(lines) + "\n")


def level(samples):
    """The mean power of a frame against that of the largest square wave, as browsers measure it."""
    power = sum(sample * sample for sample in samples) / max(len(samples), 1)
    return 127 if power < 1e-13 else min(127, max(0, round(-10 * math.log10(power))))


def turns():
    """Ana, Ben and Dee take turns; Cai coughs while they talk and while they pause, and Dee types when she doesn't talk."""
    scene = Scene("turns", 44, ["ana", "ben", "cai", "dee"])
    for person, gain in [("ana", -62), ("ben", -56), ("cai", -60), ("dee", -64)]:
        scene.hums(person, "pinknoise", gain)
    end = scene.speaks("ana", 2.0, TEXTS[0])
    scene.coughs("cai", 4.0)
    scene.coughs("cai", end + 0.3)
    ben = end + 1.2
    end = scene.speaks("ben", ben, TEXTS[1], "en-us+m3", 150, -12)
    scene.coughs("ana", ben + 2.5)
    dee = end + 0.4
    end = scene.speaks("dee", dee, TEXTS[2], "en+f3", 180, -10)
    scene.coughs("cai", dee + 3.0)
    scene.types("dee", 2.0, dee - 1.0)
    ana = end + 0.25
    end = scene.speaks("ana", ana, TEXTS[3])
    scene.coughs("ben", end + 1.5)
    scene.write()


def overlap():
    """Ben interrupts Ana; they talk both for three seconds before she gives way. Before, he says a short word of agreement."""
    scene = Scene("overlap", 22, ["ana", "ben", "cai"])
    for person, gain in [("ana", -60), ("ben", -58), ("cai", -62)]:
        scene.hums(person, "pinknoise", gain)
    scene.speaks("ana", 1.0, TEXTS[1] + " " + TEXTS[2], until=11.0)
    scene.speaks("ben", 4.0, "Mm, right.", "en-us+m3", 170, -12)
    scene.speaks("ben", 8.0, TEXTS[3] + " " + TEXTS[0], "en-us+m3", 160, -10, until=19.0)
    scene.write()


def fan():
    """Ben sits beside a fan as loud as Ana and says nothing, Cai types all the time, and Ana talks softly."""
    scene = Scene("fan", 24, ["ana", "ben", "cai"])
    scene.hums("ana", "pinknoise", -66)
    scene.hums("ben", "pinknoise", -22)
    scene.hums("cai", "pinknoise", -62)
    scene.types("cai", 0.5, 23.5, -10)
    end = scene.speaks("ana", 3.0, TEXTS[2], "en+f3", 160, -22)
    scene.speaks("ana", end + 1.5, TEXTS[1], "en+f3", 160, -22)
    scene.write()


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for scene in (turns, overlap, fan):
        scene()
