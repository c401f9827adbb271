//! Stories of rooms, without any socket.
