//! The program as a service manager and a person at a shell see it: help, configuration, refusals to start, a graceful end.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and may say what it measured"
)]

use livekit_protocol::DisconnectReason;
use livekit_protocol::leave_request::Action;
use ramai_test_support::{Client, Ended, Join, Process, Server, free_tcp_port, within};
use std::path::Path;
use std::process::ExitStatus;

/// Runs the program to its end: status and everything it wrote.
async fn run(args: &[&str], env: &[(&str, &str)]) -> (ExitStatus, String) {
    let args: Vec<String> = args.iter().map(|s| (*s).to_owned()).collect();
    let mut process = Process::start(Path::new(env!("CARGO_BIN_EXE_ramai")), &args, env).expect("it starts");
    let status = within("the end", process.ended()).await.expect("an end").expect("a status");
    (status, process.log())
}

/// A server with one worker on ports of its own.
async fn server() -> Server {
    Server::start(env!("CARGO_BIN_EXE_ramai"), &[]).await.expect("a server")
}

#[tokio::test]
async fn help_and_config_show_every_key_and_no_secret() {
    let (status, help) = run(&["--help"], &[]).await;
    assert!(status.success());
    let (status, config) = run(&["--dev", "config"], &[]).await;
    assert!(status.success(), "{config}");
    for key in ["bind", "port", "node_ip", "udp_bind", "udp_base_port", "workers", "keys", "demo", "log_format"] {
        assert!(config.contains(key), "{key} is not in config:\n{config}");
        assert!(help.contains(&key.replace('_', "-")), "{key} is not in help:\n{help}");
    }
    let (_, config) = run(&["config"], &[("RAMAI_KEYS", "app:0123456789abcdef0123456789abcdef")]).await;
    assert!(config.contains("app") && !config.contains("0123456789abcdef"), "{config}");
}

#[tokio::test]
async fn what_it_cannot_do_stops_the_start_with_the_keys_name() {
    for (args, env, word) in [
        (vec!["--dev", "--nonsense", "1"], vec![], "nonsense"),
        (vec!["--dev"], vec![("RAMAI_NONSENSE", "1")], "RAMAI_NONSENSE"),
        (vec!["--dev", "--port", "99999"], vec![], "port"),
        (vec!["--dev"], vec![("RAMAI_WORKERS", "many")], "RAMAI_WORKERS"),
        (vec![], vec![], "keys"),
        (vec![], vec![("RAMAI_KEYS", "app:short")], "keys"),
    ] {
        let (status, said) = run(&args, &env).await;
        assert!(!status.success(), "{args:?} {env:?} started:\n{said}");
        assert!(said.contains(word), "{args:?} {env:?}: {word} is not in\n{said}");
    }
}

#[tokio::test]
async fn an_unknown_key_in_the_file_is_named() {
    let file = std::env::temp_dir().join(format!("ramai-test-{}.toml", std::process::id()));
    std::fs::write(&file, "prot = 7880\n").expect("written");
    let (status, said) = run(&["--dev", "--config", &file.to_string_lossy()], &[]).await;
    std::fs::remove_file(&file).expect("removed");
    assert!(!status.success() && said.contains("prot"), "{said}");
}

#[tokio::test]
async fn a_taken_port_stops_the_start_with_words() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", free_tcp_port().expect("a port"))).expect("free");
    let port = taken.local_addr().expect("bound").port().to_string();
    let (status, said) = run(&["--dev", "--port", &port, "--udp-base-port", "0"], &[]).await;
    assert!(!status.success() && said.contains("port") && said.contains(&port), "{said}");
}

/// Names and nice values of a process's threads.
fn threads(pid: u32) -> Vec<(String, i32)> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let thread = |task: std::fs::DirEntry| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        // The 19th field, of which the second is in brackets and may have spaces (proc_pid_stat(5)).
        let nice = stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()?;
        Some((name.trim().to_owned(), nice))
    };
    tasks.filter_map(|task| thread(task.ok()?)).collect()
}

#[tokio::test]
async fn media_threads_go_before_those_of_signaling() {
    let server = server().await;
    let threads = threads(server.process().id());
    let nice = |begin: &str| -> Vec<i32> {
        threads.iter().filter(|(name, _)| name.starts_with(begin)).map(|(_, nice)| *nice).collect()
    };
    let media = nice("media-").into_iter().max().expect("a media thread");
    let signaling = nice("tokio").into_iter().min().expect("a thread of signaling");
    assert!(media < signaling, "{threads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_tells_clients_and_ends_well() {
    let mut server = server().await;
    let mut ana = Client::join(server.http(), Join::new("den", "ana").publishing()).await.expect("a join");
    let mut ben = Client::join(server.http(), Join::new("den", "ben")).await.expect("a join");
    server.process().terminate().expect("alive");
    for client in [&mut ana, &mut ben] {
        client.until("the end", |s| s.ended.is_some()).await;
        let ended = client.state().ended;
        let Some(Ended::Asked(leave)) = &ended else { panic!("{}: {ended:?}", client.identity()) };
        assert_eq!(leave.reason(), DisconnectReason::ServerShutdown);
        assert_ne!(leave.action(), Action::Disconnect, "clients are to come back");
    }
    let status = within("the end", server.process_mut().ended()).await.expect("an end").expect("a status");
    assert_eq!(status.code(), Some(0), "{}", server.process().log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_stops_at_once() {
    let mut server = server().await;
    server.process().terminate().expect("alive");
    let status = within("the end", server.process_mut().ended()).await.expect("an end").expect("a status");
    assert_eq!(status.code(), Some(0), "{}", server.process().log());
}
