//! The file against the defaults, and every refusal in its words.

use std::time::Duration;

use crate::{Bytes, ClientCertificates, Config, ConfigError, NodeConfig, PoolMode, Span};

const DOCUMENTED: &str = include_str!("../../../proxy.toml");
const NODE: &str = "[[nodes]]\nname = \"n1\"\nhost = \"127.0.0.1\"\n";

fn defaults() -> Config {
    Config::with_nodes(vec![NodeConfig::new("n1", "127.0.0.1", 5432)])
}

/// `text` and one node.
fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(&format!("{text}\n{NODE}"))
}

fn refusal(text: &str) -> String {
    parse(text).expect_err("it must be refused").to_string()
}

/// A setting is commented as `#key = value`, prose as `# text`.
fn uncommented(text: &str) -> String {
    let setting = |line: &str| -> Option<String> {
        let setting = line.strip_prefix('#')?;
        setting.starts_with(|c: char| c.is_ascii_lowercase()).then(|| setting.to_owned())
    };
    text.lines()
        .map(|line| setting(line).unwrap_or_else(|| line.to_owned()))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_documented_file_is_the_defaults() {
    assert_eq!(Config::parse(DOCUMENTED), Ok(defaults()));
}

#[test]
fn every_commented_setting_is_the_default() {
    let text = uncommented(DOCUMENTED);
    assert_ne!(text, DOCUMENTED);
    assert_eq!(Config::parse(&text), Ok(defaults()));
}

#[test]
fn the_file_of_the_containers_is_valid() {
    let config = Config::parse(include_str!("../../../docker/proxy.toml")).unwrap();
    assert_eq!(config.nodes.len(), 3);
}

/// The reader of the file lists what it knows when it meets an unknown key.
#[test]
fn every_setting_is_documented() {
    for section in ["", "listen", "tls", "auth", "pool", "timeouts", "limits", "nodes"] {
        let header = match section {
            "" => String::new(),
            "nodes" => "[[nodes]]\n".to_owned(),
            _ => format!("[{section}]\n"),
        };
        let error = Config::parse(&format!("{header}unheard_of = 1")).expect_err("unknown key");
        let documented = section_of(&uncommented(DOCUMENTED), section);
        let known: Vec<String> = error
            .to_string()
            .split_once("expected one of")
            .expect("the keys that exist")
            .1
            .split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        assert!(known.len() > 1, "{error}");
        for key in known {
            let is_section = section.is_empty() && DOCUMENTED.contains(&format!("[{key}]"));
            let is_setting = documented.lines().any(|line| line.starts_with(&format!("{key} = ")));
            assert!(is_section || is_setting, "{key} of [{section}] is not in proxy.toml");
        }
    }
}

fn section_of(text: &str, section: &str) -> String {
    let mut current = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            current = line.trim_matches(['[', ']']).to_owned();
        } else if current == section {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn every_setting_in_force_can_be_seen_but_no_secret() {
    let config = parse(
        "[auth]\ncontrol_password = \"hidden\"\nusers = [{ name = \"app\", password = \"hidden\" }]",
    )
    .unwrap();
    let shown = config.describe();
    assert!(shown.contains(&("auth.users".to_owned(), "app".to_owned())));
    assert!(shown.contains(&("pool.lifetime".to_owned(), "1h".to_owned())));
    assert!(shown.iter().all(|(_, value)| !value.contains("hidden")));
    let text = uncommented(DOCUMENTED);
    for section in ["", "listen", "tls", "auth", "pool", "timeouts", "limits"] {
        for line in section_of(&text, section).lines() {
            let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
                continue;
            };
            let name = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            let is_shown = shown.iter().any(|(shown, _)| *shown == name);
            assert_eq!(is_shown, name != "auth.control_password", "{name}");
        }
    }
}

#[test]
fn one_node_is_enough() {
    let config = Config::parse("[[nodes]]\nname = \"main\"\nhost = \"db.example\"\n").unwrap();
    assert_eq!(config.home, "main");
    assert_eq!(config.nodes, [NodeConfig::new("main", "db.example", 5432)]);
    assert!(config.listen.workers >= 1);
}

#[test]
fn home_is_the_first_node_unless_named() {
    let two = format!("{NODE}[[nodes]]\nname = \"n2\"\nhost = \"127.0.0.2\"\n");
    assert_eq!(Config::parse(&two).unwrap().home, "n1");
    assert_eq!(Config::parse(&format!("home = \"n2\"\n{two}")).unwrap().home, "n2");
    assert_eq!(
        Config::parse(&format!("home = \"n3\"\n{two}")).unwrap_err().to_string(),
        "home = \"n3\": must be the name of a node, so one of n1, n2"
    );
}

#[test]
fn settings_are_read_into_their_fields() {
    let config = parse(
        "[listen]\nhttp = \"\"\nunix_directory = \"/run/herd\"\nworkers = 3\n\
         [pool]\nmode = \"session\"\nwait_max = \"1500 ms\"\nprepared_max = 7\n\
         [limits]\nmessage_bytes_max = \"64MB\"\n\
         [tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nclient_certificates = \"allowed\"\n\
         client_authority = \"ca.pem\"\n\
         [auth]\ncontrol_password = \"secret\"\ntrust = [\"::1\"]\n\
         users = [{ name = \"app\", password = \"hidden\" }]\n\
         [pool.unused]",
    );
    assert!(config.is_err(), "an unknown section is refused: {config:?}");

    let config = parse(
        "[listen]\nhttp = \"\"\nunix_directory = \"/run/herd\"\nworkers = 3\n\
         [pool]\nmode = \"session\"\nconnect_timeout = \"1s\"\nwait_max = \"1500 ms\"\n\
         [limits]\nmessage_bytes_max = \"64MB\"\n\
         [tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nclient_certificates = \"allowed\"\n\
         client_authority = \"ca.pem\"\n\
         [auth]\ncontrol_password = \"secret\"\ntrust = [\"::1\"]\n\
         users = [{ name = \"app\", password = \"hidden\" }]",
    )
    .unwrap();
    assert_eq!(config.listen.http, None);
    assert_eq!(config.listen.workers, 3);
    assert_eq!(config.pool.mode, PoolMode::Session);
    assert_eq!(config.pool.wait_max, Duration::from_millis(1500));
    assert_eq!(config.limits.message_bytes_max, 64 << 20);
    let tls = config.tls.clone().unwrap();
    assert_eq!(tls.client_certificates, ClientCertificates::Allowed { authority: "ca.pem".into() });
    assert_eq!(config.auth.control_password.clone().unwrap().reveal(), "secret");
    let printed = format!("{config:?}");
    assert!(!printed.contains("secret") && !printed.contains("hidden"), "{printed}");
}

#[test]
fn a_value_out_of_range_names_key_value_and_range() {
    assert_eq!(refusal("[pool]\nsize_max = 0"), "pool.size_max = 0: must be from 1 to 100000");
    assert_eq!(refusal("[pool]\nlifetime = \"0\""), "pool.lifetime = 0: must be from 1ms to 366d");
    assert_eq!(
        refusal("[limits]\nmessage_bytes_max = \"1kB\""),
        "limits.message_bytes_max = 1kB: must be from 64kB to 1GB"
    );
    assert_eq!(refusal("[listen]\nworkers = 0"), "listen.workers = 0: must be from 1 to 256");
    assert_eq!(
        refusal("[listen]\naddresses = []"),
        "listen.addresses = []: must be at least one address with a port, as in [\"127.0.0.1:6432\"]"
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert_eq!(
        refusal("[pool]\nsize_min = 20"),
        "pool.size_min = 20 and pool.size_max = 16: the first may not be more than the second"
    );
    assert_eq!(
        refusal("[pool]\nsize_max = 100"),
        "pool.size_max = 100 and pool.node_connections_max = 80: the first may not be more than the second"
    );
    assert_eq!(
        refusal("[pool]\nidle_max = \"2h\""),
        "pool.idle_max = 2h and pool.lifetime = 1h: the first may not be more than the second"
    );
    assert_eq!(
        refusal("[pool]\nwait_max = \"4s\""),
        "pool.connect_timeout = 5s and pool.wait_max = 4s: the first may not be more than the second"
    );
    assert!(
        refusal("[limits]\nclients_max = 10\nunauthenticated_per_address_max = 11")
            .starts_with("limits.unauthenticated_per_address_max = 11 and")
    );
    assert_eq!(
        refusal("[listen]\naddresses = [\"127.0.0.1:8432\"]"),
        "listen.http = \"127.0.0.1:8432\" and listen.addresses: PostgreSQL clients and HTTP need different addresses"
    );
}

#[test]
fn few_clients_need_no_second_setting() {
    let config = parse("[limits]\nclients_max = 10").unwrap();
    assert_eq!(config.limits.unauthenticated_per_address_max, 10);
}

#[test]
fn nodes_have_their_own_name_and_address() {
    let again = Config::parse(&format!("{NODE}{NODE}")).unwrap_err().to_string();
    assert_eq!(again, "nodes.name = \"n1\": must be used once");
    let same = format!("{NODE}[[nodes]]\nname = \"n2\"\nhost = \"127.0.0.1\"\n");
    assert_eq!(
        Config::parse(&same).unwrap_err().to_string(),
        "nodes.host = \"127.0.0.1\" port 5432: must be used by one node only"
    );
    let name = Config::parse("[[nodes]]\nname = \"N 1\"\nhost = \"h\"\n").unwrap_err().to_string();
    assert_eq!(name, "nodes.name = \"N 1\": must be 1 to 63 lower-case letters, digits, _ or -");
    assert!(Config::parse("").unwrap_err().to_string().starts_with("nodes is missing"));
}

#[test]
fn tls_needs_both_files_and_an_authority_for_clients() {
    let message = refusal("[tls]\nkey = \"k.pem\"");
    assert_eq!(message, "tls.certificate is missing: tls.key is given");
    let message = refusal("[tls]\nrequired = true");
    assert_eq!(message, "tls.certificate is missing: tls.required = true");
    let message = refusal(
        "[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nclient_certificates = \"required\"",
    );
    assert!(message.starts_with("tls.client_authority is missing"), "{message}");
}

#[test]
fn an_authority_is_for_encrypted_nodes() {
    let with = |tls| format!("{NODE}tls = {tls}\ntls_authority = \"ca.pem\"\n");
    let config = Config::parse(&with(true)).unwrap();
    assert_eq!(config.nodes[0].tls_authority, Some("ca.pem".into()));
    assert_eq!(
        Config::parse(&with(false)).unwrap_err().to_string(),
        "nodes.tls_authority of n1 and tls = false: the authority is for connections that are encrypted"
    );
}

#[test]
fn trust_stays_on_this_machine() {
    assert_eq!(
        refusal("[auth]\ntrust = [\"10.0.0.1\"]"),
        "auth.trust = \"10.0.0.1\": must be loopback addresses only, as in [\"127.0.0.1\", \"::1\"]"
    );
}

#[test]
fn a_socket_directory_leaves_room_for_the_socket() {
    let message = refusal(&format!("[listen]\nunix_directory = \"/{}\"", "d".repeat(100)));
    assert!(
        message.ends_with("must be at most 92 bytes long: a socket's path is short"),
        "{message}"
    );
}

#[test]
fn syntax_errors_tell_line_and_key() {
    let message = refusal("[pool]\n\nsize_max = \"many\"");
    assert_eq!(message, "line 3, size_max: expected a whole number from 0");
    let message = refusal("[pool]\nsize = 3");
    assert!(
        message.starts_with("line 2, size: unknown field `size`, expected one of"),
        "{message}"
    );
    let message = refusal("[timeouts]\nquery = \"30 parsecs\"");
    assert!(message.starts_with("line 2, query: \"30 parsecs\" is not a duration"), "{message}");
    let message = refusal("[listen]\nworkers = \"many\"");
    assert_eq!(message, "line 2, workers: expected \"auto\" or a whole number");
}

#[test]
fn an_error_about_a_password_does_not_print_it() {
    for text in [
        "[auth]\ncontrol_password = 271828",
        "[auth]\ncontrol_password = \"271828",
        "[auth]\nusers = [{ name = \"app\", password = 271828 }]",
        "[auth]\nusers = [{ name = \"app\", password = \"271828\", admin = 1 }]",
        "[auth]\nusers = \"271828\"",
    ] {
        let error = parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("271828"), "{error:?}");
    }
}

#[test]
fn durations_and_sizes_have_postgresqls_units() {
    for (text, micros) in
        [("0", 0), ("5us", 5), ("20ms", 20_000), ("30s", 30_000_000), ("5min", 300_000_000)]
    {
        let span: Span = text.parse().unwrap();
        assert_eq!(span, Span(Duration::from_micros(micros)));
        assert_eq!(span.to_string(), text);
    }
    for (text, bytes) in [("1B", 1), ("10kB", 10_240), ("64MB", 64 << 20), ("2GB", 2 << 30)] {
        let size: Bytes = text.parse().unwrap();
        assert_eq!(size, Bytes(bytes));
        assert_eq!(size.to_string(), text);
    }
    for text in ["", "5", "-1s", "1.5s", "s", "30S", "99999999999999999999s", "9999999999999999d"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
        assert!(text.parse::<Bytes>().is_err(), "{text}");
    }
    assert!("64mb".parse::<Bytes>().is_err());
}
