//! Stories on the loopback interface. Nothing sleeps: `wait` returns when there is something.

use super::*;
use std::net::{IpAddr, Ipv4Addr};

const PATIENCE: Duration = Duration::from_secs(5);

fn socket(ip: &str) -> UdpSocket {
    UdpSocket::bind(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap()
}

fn to(socket: &UdpSocket) -> Path {
    Path { remote: socket.local_addr(), local: None }
}

/// A datagram that tells its number by its first byte and its length by all.
fn push(batch: &mut Batch, path: Path, number: u8, len: usize) {
    batch.push(path, |bytes| {
        bytes.push(number);
        bytes.resize(bytes.len() + len - 1, 0xaa);
    });
}

/// Waits for so many datagrams: from whom to which address, the number, the length.
fn take(socket: &mut UdpSocket, count: usize) -> Vec<(Path, u8, usize)> {
    let mut got = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while got.len() < count {
        assert!(Instant::now() < deadline, "only {} of {count} came", got.len());
        socket.wait(Some(PATIENCE)).unwrap();
        socket
            .recv(512, |path, _, payload| got.push((path, payload.first().copied().unwrap_or(0), payload.len())))
            .unwrap();
    }
    got
}

/// 200 datagrams in runs of different lengths, to two peers in turns.
fn whole_and_in_order(gso: bool) {
    let (mut sender, mut ana, mut ben) = (socket("127.0.0.1"), socket("127.0.0.1"), socket("127.0.0.1"));
    sender.gso &= gso;
    let mut batch = Batch::default();
    for number in 0..100u8 {
        let len = if number % 7 == 6 { 300 } else { 1200 };
        push(&mut batch, to(&ana), number, len);
        if number % 5 == 4 {
            (number - 4..=number).for_each(|number| push(&mut batch, to(&ben), number, 900));
        }
    }
    assert!(batch.runs().len() < 200, "some runs must hold several datagrams, or GSO isn't tried");
    assert_eq!(sender.send(&batch), SendReport { sent: 200, ..SendReport::default() });
    let from = Path { remote: sender.local_addr(), local: None };
    for (number, got) in take(&mut ana, 100).into_iter().enumerate() {
        assert_eq!(got, (from, number as u8, if number % 7 == 6 { 300 } else { 1200 }));
    }
    for (number, got) in take(&mut ben, 100).into_iter().enumerate() {
        assert_eq!(got, (from, number as u8, 900));
    }
}

#[test]
fn batches_arrive_whole_and_in_order_with_gso() {
    whole_and_in_order(true);
}

#[test]
fn batches_arrive_whole_and_in_order_without_gso() {
    whole_and_in_order(false);
}

#[test]
fn an_answer_leaves_from_the_address_that_was_spoken_to() {
    let mut server = socket("0.0.0.0");
    let mut client = socket("127.0.0.1");
    for ip in [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST] {
        let spoken_to = SocketAddr::new(ip.into(), server.local_addr().port());
        let mut question = Batch::default();
        push(&mut question, Path { remote: spoken_to, local: None }, 1, 20);
        client.send(&question);
        let (path, ..) = take(&mut server, 1)[0];
        assert_eq!(path, Path { remote: client.local_addr(), local: Some(IpAddr::V4(ip)) });

        let mut answer = Batch::default();
        (0..3).for_each(|number| push(&mut answer, path, number, 50));
        assert_eq!(server.send(&answer).sent, 3);
        assert!(take(&mut client, 3).iter().all(|(path, ..)| path.remote == spoken_to));
    }
}

#[test]
fn ipv6_answers_likewise() {
    let Ok(mut server) = UdpSocket::bind("[::]:0".parse().unwrap()) else { return };
    let Ok(mut client) = UdpSocket::bind("[::1]:0".parse().unwrap()) else { return };
    let mut question = Batch::default();
    push(
        &mut question,
        Path { remote: SocketAddr::new("::1".parse().unwrap(), server.local_addr().port()), local: None },
        1,
        20,
    );
    client.send(&question);
    let (path, ..) = take(&mut server, 1)[0];
    assert_eq!(path, Path { remote: client.local_addr(), local: Some("::1".parse().unwrap()) });
    let mut answer = Batch::default();
    (0..3).for_each(|number| push(&mut answer, path, number, 50));
    assert_eq!(server.send(&answer).sent, 3);
    assert_eq!(take(&mut client, 3).len(), 3);
}

/// Sends two datagrams 50 ms apart and reads them together: between which moments each was sent, and when it came.
fn read_late(sender: &mut UdpSocket, receiver: &mut UdpSocket) -> [(Instant, Instant, Instant); 2] {
    let mut send = |number| {
        let mut batch = Batch::default();
        push(&mut batch, to(receiver), number, 100);
        let before = Instant::now();
        sender.send(&batch);
        // On loopback it has come when it is sent.
        (before, Instant::now())
    };
    let first = send(1);
    // Time is what this is about.
    std::thread::sleep(Duration::from_millis(50));
    let second = send(2);
    let mut came = Vec::new();
    receiver.recv(512, |_, at, _| came.push(at)).unwrap();
    [(first.0, first.1, came[0]), (second.0, second.1, came[1])]
}

#[test]
fn what_waited_to_be_read_tells_when_it_came() {
    let (mut sender, mut receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let slack = Duration::from_millis(20);
    // The kernel begins to note times some moments after the first socket asked it to.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let both = read_late(&mut sender, &mut receiver);
        if both.iter().all(|(from, until, at)| *at >= *from - slack && *at <= *until + slack) {
            return;
        }
        assert!(Instant::now() < deadline, "sent between, and came: {both:?}");
    }
}

#[test]
fn a_waker_ends_the_sleep_once() {
    let socket = socket("127.0.0.1");
    let waker = socket.waker();
    let thread = std::thread::spawn(move || {
        waker.wake();
        waker.wake();
    });
    let start = Instant::now();
    socket.wait(Some(PATIENCE)).unwrap();
    thread.join().unwrap();
    // The second call may have come after the first wait: this one takes it at once.
    socket.waker().wake();
    socket.wait(Some(PATIENCE)).unwrap();
    assert!(start.elapsed() < PATIENCE);
    let start = Instant::now();
    socket.wait(Some(Duration::from_micros(1500))).unwrap();
    assert!(start.elapsed() >= Duration::from_micros(1500), "nobody wakes it any more");
}

#[test]
fn what_is_too_long_is_dropped_and_counted() {
    let (mut sender, mut receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let mut batch = Batch::default();
    push(&mut batch, to(&receiver), 1, 2048);
    push(&mut batch, to(&receiver), 2, 100);
    batch.push(Path { remote: receiver.local_addr(), local: None }, |bytes| bytes.resize(bytes.len() + 2049, 0));
    push(&mut batch, to(&receiver), 3, 2049);
    push(&mut batch, to(&receiver), 4, 100);
    assert_eq!(sender.send(&batch).sent, 5);
    assert_eq!(take(&mut receiver, 3).iter().map(|got| got.1).collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!(receiver.truncated, 2);
}

/// Runs of several datagrams, which the loopback interface hands over in one piece, and single ones between them.
fn joined_and_single(mut sender: UdpSocket, mut receiver: UdpSocket, spoken_to: Path) {
    let lens = [vec![1200; 64], vec![700], vec![1200, 1200, 1200, 1199], vec![1], vec![20, 20, 19]].concat();
    let mut batch = Batch::default();
    for (number, len) in (0..).zip(&lens) {
        push(&mut batch, spoken_to, number, *len);
    }
    assert!(batch.runs().len() < lens.len() / 8);
    assert_eq!(sender.send(&batch).sent, lens.len() as u64);
    let got = take(&mut receiver, lens.len());
    assert_eq!(got.iter().map(|got| got.2).collect::<Vec<_>>(), lens);
    assert!((0..).zip(&got).all(|(number, got): (u8, _)| got.1 == number));
    let local = receiver.any.then_some(spoken_to.remote.ip());
    assert!(got.iter().all(|got| got.0 == Path { remote: sender.local_addr(), local }));
    assert_eq!(receiver.counters().received, lens.len() as u64);
    // What comes after a large message finds as much room as it did.
    assert_eq!(sender.send(&batch).sent, lens.len() as u64);
    assert_eq!(take(&mut receiver, lens.len()), got);
}

#[test]
fn joined_datagrams_are_told_apart() {
    let (sender, receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let path = to(&receiver);
    joined_and_single(sender, receiver, path);
}

#[test]
fn joined_datagrams_tell_to_which_address_they_came() {
    let (sender, receiver) = (socket("127.0.0.1"), socket("0.0.0.0"));
    let remote = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 2).into(), receiver.local_addr().port());
    joined_and_single(sender, receiver, Path { remote, local: None });
}

#[test]
fn joined_datagrams_of_ipv6_likewise() {
    let Ok(receiver) = UdpSocket::bind("[::]:0".parse().unwrap()) else { return };
    let Ok(sender) = UdpSocket::bind("[::1]:0".parse().unwrap()) else { return };
    let remote = SocketAddr::new("::1".parse().unwrap(), receiver.local_addr().port());
    joined_and_single(sender, receiver, Path { remote, local: None });
}

#[test]
fn the_kernel_joins_what_came_as_one_run_and_not_for_who_did_not_ask() {
    for asked in [true, false] {
        let (mut sender, mut receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
        let supported = syscall::join_datagrams(receiver.inner.as_fd(), asked).is_ok();
        if !sender.gso || !supported {
            return;
        }
        let mut batch = Batch::default();
        (0..10).for_each(|number| push(&mut batch, to(&receiver), number, 1000));
        sender.send(&batch);
        receiver.wait(Some(PATIENCE)).unwrap();
        let count = receiver.inbox.receive(receiver.inner.as_fd()).unwrap();
        let segments: Vec<_> = receiver.inbox.received(count).map(|message| message.segment).collect();
        assert_eq!(segments, if asked { vec![Some(1000)] } else { vec![None; 10] });
    }
}

#[test]
fn joined_datagrams_that_are_too_long_are_dropped_each() {
    let (mut sender, mut receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let mut batch = Batch::default();
    [2049, 2049, 2049, 2000]
        .into_iter()
        .zip(0..)
        .for_each(|(len, number)| push(&mut batch, to(&receiver), number, len));
    assert_eq!(sender.send(&batch).sent, 4);
    assert_eq!(take(&mut receiver, 1)[0].1, 3);
    assert_eq!((receiver.truncated, receiver.counters().received), (3, 4));
}

#[test]
fn a_destination_that_fails_does_not_hold_up_the_others() {
    let (mut sender, mut receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
    // Closed: its port answers with ICMP. Broadcast: this socket may not. IPv6: another family.
    let closed = to(&socket("127.0.0.1"));
    let mut batch = Batch::default();
    let mut refused = 0;
    for number in 0..10 {
        push(&mut batch, closed, 0, 100);
        for other in ["255.255.255.255:9", "[::1]:9"] {
            push(&mut batch, Path { remote: other.parse().unwrap(), local: None }, 0, 100);
            refused += 1;
        }
        push(&mut batch, to(&receiver), number, 100);
    }
    assert_eq!(sender.send(&batch), SendReport { sent: 20, dropped: refused, wouldblock: 0 });
    assert_eq!(take(&mut receiver, 10).iter().map(|got| got.1).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    // Whatever bounced is no error of the socket's.
    sender.recv(512, |_, _, _| panic!("nobody wrote")).unwrap();
}

#[test]
fn segments_that_the_kernel_refuses_go_one_by_one() {
    let (mut sender, mut receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
    // 200 segments are more than any kernel cuts one message into (64, lately 128).
    let message = Outgoing::new(to(&receiver), 0..20_000, 100);
    let mut batch = Batch::default();
    batch.push(to(&receiver), |bytes| bytes.resize(20_000, 5));
    assert!(syscall::send(sender.inner.as_fd(), &batch, std::slice::from_ref(&message)).is_err());
    let mut report = SendReport::default();
    sender.send_messages(&batch, &[message], &mut Patience::default(), &mut report);
    assert_eq!(report, SendReport { sent: 200, ..SendReport::default() });
    assert_eq!(take(&mut receiver, 200).len(), 200);
    assert_eq!(sender.gso, syscall::supports_gso(sender.inner.as_fd()), "one message's trouble isn't everybody's");
}

#[test]
fn a_port_in_use_is_refused() {
    let first = socket("127.0.0.1");
    assert_eq!(UdpSocket::bind(first.local_addr()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn empty_datagrams_are_handed_over_too() {
    let mut receiver = socket("127.0.0.1");
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[], receiver.local_addr()).unwrap();
    assert_eq!(take(&mut receiver, 1)[0].2, 0);
}

#[test]
fn what_the_kernel_had_no_room_for_is_counted() {
    const SENT: u64 = 200;
    let (mut sender, mut receiver) = (socket("127.0.0.1"), socket("127.0.0.1"));
    // Singly: what is joined counts as one.
    sender.gso = false;
    // The least that the kernel gives: a few datagrams.
    receiver.inner.set_recv_buffer_size(1).unwrap();
    let mut batch = Batch::default();
    (0..SENT).for_each(|number| push(&mut batch, to(&receiver), number as u8, 1000));
    assert_eq!(sender.send(&batch).sent, SENT, "the sender can't know");
    assert!(receiver.waiting() > 1000);
    let mut taken = 0;
    while receiver.recv(512, |_, _, _| taken += 1).unwrap() > 0 {}
    assert!(taken < SENT, "nothing was lost, so this shows nothing");
    assert_eq!(receiver.waiting(), 0);
    // The kernel tells with the next datagram.
    let mut next = Batch::default();
    push(&mut next, to(&receiver), 1, 100);
    sender.send(&next);
    take(&mut receiver, 1);
    assert_eq!(receiver.counters().overflowed, SENT - taken);
    assert_eq!(receiver.counters().received, taken + 1);
}
