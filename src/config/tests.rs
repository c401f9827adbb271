//! Stories of starting the server: what the operator writes, what the server makes of it.

use super::*;
use std::io;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A start of the server, in the making.
#[derive(Default)]
struct Start {
    args: Vec<&'static str>,
    env: Vec<(&'static str, String)>,
    file: Option<String>,
}

impl Start {
    fn with(args: &'static str) -> Self {
        Self { args: args.split_whitespace().collect(), ..Self::default() }
    }

    /// With a production key, so that only the thing under test can be wrong.
    fn keyed(args: &'static str) -> Self {
        Self::with(args).env("RAMAI_KEYS", &format!("app:{SECRET}"))
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    fn file(mut self, text: impl Into<String>) -> Self {
        self.args.extend(["--config", "ramai.toml"]);
        self.file = Some(text.into());
        self
    }

    fn load(self) -> Result<(Config, Command), ConfigError> {
        let file = self.file;
        load(
            self.args.into_iter().map(OsString::from),
            self.env.into_iter().map(|(n, v)| (n.into(), v.into())),
            |path| {
                assert_eq!(path, Path::new("ramai.toml"));
                file.ok_or_else(|| io::ErrorKind::NotFound.into())
            },
        )
    }

    fn config(self) -> Config {
        self.load().unwrap().0
    }

    fn error(self) -> String {
        self.load().unwrap_err().to_string()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn dev_starts_with_nothing_else_and_only_for_this_machine() {
    let (config, command) = Start::with("--dev").load().unwrap();
    assert_eq!(command, Command::Serve);
    assert!(config.dev && config.demo && config.demo_tokens);
    assert_eq!((config.bind, config.port), (ip("127.0.0.1"), 7880));
    assert_eq!((config.udp_bind, config.udp_base_port), (ip("127.0.0.1"), 7882));
    assert_eq!(config.node_ips().unwrap(), [ip("127.0.0.1")]);
    assert_eq!(
        config.keys.iter().map(|(key, secret)| (key, secret.expose())).collect::<Vec<_>>(),
        [("devkey", "secret")]
    );
    assert!(config.worker_count() >= 1);
}

#[test]
fn dev_moves_into_a_network_namespace() {
    let config = Start::with("--dev --bind 10.0.0.1 --node-ip 10.0.0.1 --udp-bind 10.0.0.1").config();
    assert_eq!(
        (config.bind, config.udp_bind, config.node_ips().unwrap()),
        (ip("10.0.0.1"), ip("10.0.0.1"), vec![ip("10.0.0.1")])
    );
    assert!(config.demo_tokens);
}

#[test]
fn production_serves_everybody_and_gives_out_no_tokens() {
    let config = Start::keyed("").config();
    assert_eq!((config.bind, config.udp_bind), (ip("0.0.0.0"), ip("0.0.0.0")));
    assert!(!config.dev && config.demo && !config.demo_tokens);
    assert_eq!((config.log.as_str(), config.log_format, config.max_participants), ("info", LogFormat::Text, 1000));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "port = 1\nudp_base_port = 1\nworkers = 1\nnode_ip = ['192.0.2.1', '192.0.2.2']\nlog_format = 'json'";
    let config = Start::keyed("--port 3").file(file).env("RAMAI_PORT", "2").env("RAMAI_UDP_BASE_PORT", "2").config();
    assert_eq!((config.port, config.udp_base_port, config.workers), (3, 2, 1));
    assert_eq!((config.node_ip, config.log_format), (vec![ip("192.0.2.1"), ip("192.0.2.2")], LogFormat::Json));
}

#[test]
fn the_file_can_be_named_by_the_environment_and_hold_the_keys() {
    let start = Start { file: Some(format!("[keys]\napp = '{SECRET}'\nother = '{SECRET}'")), ..Start::default() };
    let config = start.env("RAMAI_CONFIG", "ramai.toml").config();
    assert_eq!(config.keys.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["app", "other"]);
}

#[test]
fn lists_are_one_text_in_flags_and_may_be_in_the_file() {
    assert_eq!(Start::keyed("--node-ip 192.0.2.1,192.0.2.2").config().node_ip.len(), 2);
    assert_eq!(Start::keyed("").file("node_ip = '192.0.2.1'").config().node_ip, [ip("192.0.2.1")]);
}

#[test]
fn switches_can_be_turned_off() {
    let config = Start::with("--dev --demo-tokens=false").env("RAMAI_DEMO", "off").config();
    assert!(!config.demo && !config.demo_tokens);
}

#[test]
fn without_keys_the_words_name_the_key() {
    let error = Start::with("").error();
    assert!(error.contains("`keys`") && error.contains("RAMAI_KEYS") && error.contains("--dev"), "{error}");
}

#[test]
fn a_short_secret_is_refused_without_showing_it() {
    let error = Start::with("--keys app:hunter2").error();
    assert_eq!(error, "key `keys` (flag --keys): the secret of API key `app` has 7 characters; at least 32 are needed");
    let nothing = Start::with("--dev --keys app:").error();
    assert!(nothing.contains("0 characters"), "{nothing}");
}

#[test]
fn malformed_keys_are_refused_without_showing_them() {
    for start in [
        Start::with("--keys hunter2"),
        Start::with("").env("RAMAI_KEYS", "app:x,hunter2"),
        Start::with("").env("RAMAI_KEYS", "app:hunter2,app:hunter2"),
        Start::with("").file("keys = 'hunter2'"),
        Start::with("").file("keys = ['hunter2']"),
        Start::with("").file("[keys]\napp = { secret = 'hunter2' }"),
        Start::with("").file("[keys]\napp = hunter2"),
    ] {
        let error = start.error();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("keys") || error.contains("line 2"), "{error}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_one_that_was_meant() {
    let file = Start::keyed("").file("udp_base_prot = 1").error();
    assert_eq!(file, "unknown key `udp_base_prot` (file ramai.toml); did you mean `udp_base_port`?");
    let env = Start::keyed("").env("RAMAI_NODEIP", "192.0.2.1").error();
    assert_eq!(env, "unknown key `RAMAI_NODEIP` (environment variable RAMAI_NODEIP); did you mean `RAMAI_NODE_IP`?");
    let flag = Start::keyed("--prot 1").error();
    assert!(flag.contains("'--prot'") && flag.contains("'--port'"), "{flag}");
    assert!(!Start::keyed("").file("zzz = 1").error().contains("did you mean"));
}

#[test]
fn impossible_values_name_their_key_and_their_place() {
    let cases = [
        (Start::keyed("--port 70000"), "key `port` (flag --port): "),
        (Start::keyed("--port http"), "key `port` (flag --port): `http` is not a whole number"),
        (
            Start::keyed("").env("RAMAI_BIND", "localhost"),
            "key `bind` (environment variable RAMAI_BIND): `localhost`: ",
        ),
        (Start::keyed("").file("port = '7880'"), "key `port` (file ramai.toml): "),
        (Start::keyed("").file("node_ip = ['nowhere']"), "key `node_ip` (file ramai.toml): "),
        (Start::keyed("--demo=maybe"), "key `demo` (flag --demo): `maybe` is neither true nor false"),
        (Start::keyed("--log-format xml"), "key `log_format` (flag --log-format): "),
        (Start::keyed("--log ramai=loud"), "key `log` (flag --log): not a log filter"),
        (Start::keyed("--workers 2000"), "key `workers` (flag --workers): "),
        (
            Start::keyed("--udp-base-port 65535 --workers 2"),
            "key `udp_base_port` (flag --udp-base-port): 2 workers would need",
        ),
        (Start::keyed("--bind 224.0.0.1"), "key `bind` (flag --bind): 224.0.0.1 is a multicast address"),
        (Start::keyed("--node-ip 0.0.0.0"), "key `node_ip` (flag --node-ip): 0.0.0.0 is not"),
        (Start::keyed("--node-ip 2001:db8::1"), "key `node_ip` (flag --node-ip): 2001:db8::1 and `udp_bind`"),
        (
            Start::with("--dev --node-ip 10.0.0.1"),
            "key `node_ip` (flag --node-ip): media sent to 10.0.0.1 can't arrive",
        ),
    ];
    for (start, expected) in cases {
        let error = start.error();
        assert!(error.starts_with(expected), "{error}\nexpected: {expected}");
    }
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_named() {
    let absent = Start::keyed("--config ramai.toml").error();
    assert!(absent.starts_with("cannot read the configuration file ramai.toml: "), "{absent}");
    let broken = Start::keyed("").file("port = 1\nbind = ").error();
    assert!(broken.starts_with("ramai.toml, line 2: "), "{broken}");
}

#[test]
fn variables_of_others_are_none_of_our_business() {
    assert_eq!(Start::with("--dev").env("RUST_LOG", "x=y=z").env("RAMA", "1").config().port, 7880);
}

#[test]
fn help_shows_every_key_with_its_default_and_its_variable() {
    let error = Start::with("--help").load().unwrap_err();
    let help = error.to_string();
    for key in KEYS {
        assert!(
            help.contains(&format!("--{}", key.flag())) && help.contains(&key.env()),
            "{} is missing in\n{help}",
            key.name
        );
    }
    assert!(help.contains("[default: 7880]"), "{help}");
}

#[test]
fn config_shows_every_key_and_no_secret() {
    let (_, command) = Start::keyed("config --port 7000").load().unwrap();
    let Command::Show(text) = command else { panic!("{command:?}") };
    for key in KEYS {
        assert!(text.contains(&format!("{} = ", key.name)), "{} is missing in\n{text}", key.name);
    }
    assert!(text.contains("port = 7000  # flag --port") && text.contains("# Default: 7880."), "{text}");
    assert!(text.contains("app = (hidden)") && !text.contains(SECRET), "{text}");
}

#[test]
fn what_config_shows_is_a_file_that_means_the_same() {
    let (before, command) = Start::keyed("config --node-ip 192.0.2.1 --log-format json --demo=false").load().unwrap();
    let Command::Show(text) = command else { panic!("{command:?}") };
    assert_eq!(Start::keyed("").file(text).config(), before);
}

#[test]
fn config_shows_also_what_is_not_enough_to_serve() {
    let (_, command) = Start::with("config").load().unwrap();
    assert!(matches!(command, Command::Show(text) if text.contains("# keys = {}  # default")));
}

#[test]
fn formatting_a_configuration_hides_its_secrets() {
    let text = format!("{:?}", Start::keyed("").config());
    assert!(text.contains("app") && !text.contains(SECRET), "{text}");
}
