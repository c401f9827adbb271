"""Orders by LiveKit's Python server SDK, which speaks protobuf, about somebody who came by its Python client SDK."""

import asyncio
import os
import re
import subprocess
import unittest
from pathlib import Path

import aiohttp
from livekit import api, rtc

KEY, SECRET = "devkey", "secret"
PATIENCE = 10


def program() -> Path:
    """The server that RAMAI_BIN names, or the newest build."""
    if named := os.environ.get("RAMAI_BIN"):
        return Path(named)
    target = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[2] / "target"))
    built = [path for profile in ("release", "debug") if (path := target / profile / "ramai").exists()]
    return max(built, key=lambda path: path.stat().st_mtime)


class Orders(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        flags = ["--dev", "--port", "0", "--udp-base-port", "0", "--workers", "1"]
        # The server takes what begins with RAMAI_ for its configuration.
        env = {name: value for name, value in os.environ.items() if not name.startswith("RAMAI_")}
        self.server = subprocess.Popen([program(), *flags], env=env, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        for line in self.server.stderr:
            if ready := re.search(r"ready: (http:\S+)", line):
                self.origin = ready[1].replace("localhost", "127.0.0.1")
                break
        # What else it says must not fill the pipe.
        self.rest = asyncio.get_running_loop().run_in_executor(None, self.server.stderr.read)
        self.api = api.LiveKitAPI(self.origin, KEY, SECRET)
        self.addAsyncCleanup(self.api.aclose)

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait()
        self.server.stderr.close()

    async def join(self, identity: str) -> rtc.Room:
        grants = api.VideoGrants(room_join=True, room="r")
        token = api.AccessToken(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt()
        room = rtc.Room()
        await room.connect(self.origin.replace("http", "ws"), token)
        self.addAsyncCleanup(room.disconnect)
        return room

    async def speak(self, room: rtc.Room) -> rtc.LocalTrackPublication:
        track = rtc.LocalAudioTrack.create_audio_track("microphone", rtc.AudioSource(48_000, 1))
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        return await room.local_participant.publish_track(track, options)

    def event(self, room: rtc.Room, name: str) -> asyncio.Future:
        """The first event of that name from now on."""
        told = asyncio.get_running_loop().create_future()
        room.on(name, lambda *about: told.done() or told.set_result(about))
        return told

    async def until_subscriptions(self, count: int) -> None:
        """The media plane sends so many tracks. The SDK has no word for it when it isn't the one who ended a subscription."""
        line = f'ramai_worker_subscriptions{{worker="0"}} {count}'

        async def read() -> None:
            async with aiohttp.ClientSession() as http:
                while line not in await (await http.get(f"{self.origin}/metrics")).text():
                    # The numbers are written a few times a second.
                    await asyncio.sleep(0.1)

        await asyncio.wait_for(read(), PATIENCE)

    async def test_a_room_from_its_making_to_its_end(self) -> None:
        rooms = self.api.room
        made = await rooms.create_room(api.CreateRoomRequest(name="r", empty_timeout=600, metadata="one"))
        self.assertEqual((made.name, made.empty_timeout, made.metadata), ("r", 600, "one"))
        listed = await rooms.list_rooms(api.ListRoomsRequest())
        self.assertEqual([room.sid for room in listed.rooms], [made.sid])

        ana, ben = await self.join("ana"), await self.join("ben")
        heard = self.event(ana, "track_subscribed")
        microphone = await self.speak(ben)
        await asyncio.wait_for(heard, PATIENCE)
        muted = self.event(ana, "track_muted")
        wish = api.MuteRoomTrackRequest(room="r", identity="ben", track_sid=microphone.sid, muted=True)
        self.assertTrue((await rooms.mute_published_track(wish)).track.muted)
        await asyncio.wait_for(muted, PATIENCE)
        # Who was muted unmutes itself.
        unmuted = self.event(ana, "track_unmuted")
        microphone.track.mute()
        microphone.track.unmute()
        await asyncio.wait_for(unmuted, PATIENCE)

        await self.until_subscriptions(1)
        wish = api.UpdateSubscriptionsRequest(room="r", identity="ana", track_sids=[microphone.sid], subscribe=False)
        await rooms.update_subscriptions(wish)
        await self.until_subscriptions(0)

        told = self.event(ben, "data_received")
        wish = api.SendDataRequest(room="r", data=b"hello", kind=0, destination_identities=["ben"], topic="t")
        await rooms.send_data(wish)
        packet = (await asyncio.wait_for(told, PATIENCE))[0]
        self.assertEqual((packet.data, packet.topic, packet.participant), (b"hello", "t", None))

        gone = self.event(ana, "track_unpublished")
        silent = api.ParticipantPermission(can_subscribe=True, can_publish=False)
        wish = api.UpdateParticipantRequest(room="r", identity="ben", name="Ben B.", permission=silent)
        info = await rooms.update_participant(wish)
        self.assertEqual((info.name, info.attributes["ramai.role"]), ("Ben B.", "listener"))
        await asyncio.wait_for(gone, PATIENCE)

        left = self.event(ben, "disconnected")
        await rooms.remove_participant(api.RoomParticipantIdentity(room="r", identity="ben"))
        await asyncio.wait_for(left, PATIENCE)
        listed = await rooms.list_participants(api.ListParticipantsRequest(room="r"))
        self.assertEqual([p.identity for p in listed.participants], ["ana"])

        left = self.event(ana, "disconnected")
        await rooms.delete_room(api.DeleteRoomRequest(room="r"))
        await asyncio.wait_for(left, PATIENCE)

    async def test_each_mistake_has_its_code(self) -> None:
        nobody = api.RoomParticipantIdentity(room="nowhere", identity="nobody")
        with self.assertRaises(api.TwirpError) as error:
            await self.api.room.get_participant(nobody)
        self.assertEqual((error.exception.code, error.exception.status), ("not_found", 404))
        with self.assertRaises(api.TwirpError) as error:
            await self.api.room.create_room(api.CreateRoomRequest())
        self.assertEqual((error.exception.code, error.exception.status), ("invalid_argument", 400))
        forged = api.LiveKitAPI(self.origin, KEY, "not the secret at all, but as long as one is")
        self.addAsyncCleanup(forged.aclose)
        with self.assertRaises(api.TwirpError) as error:
            await forged.room.list_rooms(api.ListRoomsRequest())
        self.assertEqual((error.exception.code, error.exception.status), ("unauthenticated", 401))


if __name__ == "__main__":
    unittest.main()
