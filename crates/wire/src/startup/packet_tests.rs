//! What first packets say, and what they must not.

use herd_types::{ClientError, Severity};
use proptest::prelude::*;

use super::packet::{Negotiation, Packet, ProtocolMinor, Startup};

const VERSION_3_0: u32 = 3 << 16;

fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), rest].concat()
}

fn startup_with(version: u32, parameters: &[(&str, &str)]) -> Result<Startup, ClientError> {
    let mut rest = Vec::new();
    for (name, value) in parameters {
        rest.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    rest.push(0);
    match Packet::read(&packet(version, &rest))? {
        Packet::Startup(startup) => Ok(startup),
        other => panic!("not a startup packet: {other:?}"),
    }
}

fn startup(parameters: &[(&str, &str)]) -> Result<Startup, ClientError> {
    startup_with(VERSION_3_0, parameters)
}

fn settings(options: &str) -> Vec<(String, String)> {
    startup(&[("user", "u"), ("options", options)]).expect("valid options").settings
}

fn refusal(outcome: Result<Startup, ClientError>) -> (String, String) {
    let error = outcome.expect_err("must be refused");
    assert_eq!(error.severity, Severity::Fatal);
    (error.sqlstate.to_string(), error.message.into_owned())
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn the_database_is_named_like_the_user_unless_it_is_named() {
    assert_eq!(startup(&[("user", "ann")]).expect("valid").database, "ann");
    assert_eq!(startup(&[("user", "ann"), ("database", "")]).expect("valid").database, "ann");
    assert_eq!(startup(&[("user", "ann"), ("database", "d")]).expect("valid").database, "d");
    assert_eq!(
        refusal(startup(&[("database", "d")])),
        pair("28000", "no PostgreSQL user name specified in startup packet")
    );
}

#[test]
fn long_names_are_cut_like_identifiers_between_characters() {
    let startup = startup(&[("user", &"x".repeat(64)), ("database", &"é".repeat(32))]);
    let startup = startup.expect("valid");
    assert_eq!(startup.user, "x".repeat(63));
    assert_eq!(startup.database, "é".repeat(31));
}

#[test]
fn settings_come_from_options_first_and_then_from_parameters() {
    let startup = startup(&[
        ("application_name", "psql"),
        ("user", "u"),
        ("options", "-c search_path=a"),
        ("search_path", "b"),
    ]);
    assert_eq!(
        startup.expect("valid").settings,
        [pair("search_path", "a"), pair("application_name", "psql"), pair("search_path", "b")]
    );
}

#[test]
fn options_are_a_command_line_with_escaped_blanks() {
    let cases = [
        ("", vec![]),
        ("   ", vec![]),
        ("-c geqo=off", vec![pair("geqo", "off")]),
        ("-cgeqo=off --search-path=a,b", vec![pair("geqo", "off"), pair("search_path", "a,b")]),
        (r"-c search_path=a\ b\\c", vec![pair("search_path", r"a b\c")]),
        ("-c\tmy.own=x=y", vec![pair("my.own", "x=y")]),
        ("-c x=", vec![pair("x", "")]),
        (r"-c x=\", vec![pair("x", "")]),
    ];
    for (options, expected) in cases {
        assert_eq!(settings(options), expected, "{options:?}");
    }
}

#[test]
fn options_that_are_not_settings_are_refused() {
    for (options, sqlstate) in [
        ("-c", "42601"),
        ("-c x", "42601"),
        ("--x", "42601"),
        ("--", "42601"),
        ("-d 5", "42601"),
        ("word", "42601"),
        ("-c =1", "42704"),
        ("-c a;b=1", "42704"),
        ("--a..b=1", "42704"),
    ] {
        let outcome = startup(&[("user", "u"), ("options", options)]);
        assert_eq!(refusal(outcome).0, sqlstate, "{options:?}");
    }
}

#[test]
fn names_that_no_setting_can_have_are_refused() {
    for name in ["a b", "1a", "x'y", "a;b", "\"a\"", ".a"] {
        let outcome = startup(&[("user", "u"), (name, "v")]);
        assert_eq!(
            refusal(outcome),
            pair("42704", &format!("unrecognized configuration parameter \"{name}\""))
        );
    }
    assert!(startup(&[("user", "u"), ("TimeZone", "UTC"), ("a_1.b$2", "")]).is_ok());
}

#[test]
fn replication_is_refused_unless_it_is_off() {
    for value in ["true", "on", "1", "database", "yes", "nonsense", "o", ""] {
        let outcome = startup(&[("user", "u"), ("replication", value)]);
        assert_eq!(
            refusal(outcome),
            pair("0A000", "replication connections are not supported"),
            "{value:?}"
        );
    }
    for value in ["false", "off", "OFF", "0", "no", "f", "n"] {
        assert!(startup(&[("user", "u"), ("replication", value)]).is_ok(), "{value:?}");
    }
}

#[test]
fn newer_minors_and_protocol_options_are_negotiated_down() {
    let negotiation = |version: u32, options: &[&str]| {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Some(Negotiation { version, unknown_options: options })
    };
    let user = ("user", "u");
    for (minor, parameters, spoken, expected) in [
        (0, vec![user], ProtocolMinor::Zero, None),
        (1, vec![user], ProtocolMinor::Zero, None),
        (2, vec![user], ProtocolMinor::Two, None),
        (9999, vec![user], ProtocolMinor::Two, negotiation(0x3_0002, &[])),
        (
            0,
            vec![user, ("_pq_.x", "1"), ("_pq_.y", "2")],
            ProtocolMinor::Zero,
            negotiation(0x3_0000, &["_pq_.x", "_pq_.y"]),
        ),
    ] {
        let startup = startup_with(VERSION_3_0 | minor, &parameters).expect("valid");
        assert_eq!((startup.minor, startup.negotiation), (spoken, expected));
        assert_eq!(startup.settings, []);
    }
}

#[test]
fn other_major_versions_are_refused() {
    for major in [0u32, 1, 2, 4, 1234] {
        let outcome = startup_with(major << 16, &[("user", "u")]);
        assert_eq!(
            refusal(outcome),
            pair(
                "0A000",
                &format!("unsupported frontend protocol {major}.0: server supports 3.0 to 3.2")
            )
        );
    }
}

#[test]
fn strings_must_end_and_the_terminator_must_be_the_last_byte() {
    for rest in [&b""[..], b"user", b"user\0", b"user\0u", b"user\0u\0", b"user\0u\0\0x", b"\0\0"] {
        let error = Packet::read(&packet(VERSION_3_0, rest)).expect_err("bad layout");
        assert_eq!(error.sqlstate.as_str(), "08P01", "{rest:?}");
    }
}

#[test]
fn parameters_must_be_utf8() {
    let error = Packet::read(&packet(VERSION_3_0, b"user\0\xff\0\0")).expect_err("not UTF-8");
    assert_eq!(error.sqlstate.as_str(), "22021");
}

#[test]
fn a_cancel_request_has_a_secret_of_4_to_256_bytes() {
    for (secret_bytes, is_valid) in [(0, false), (3, false), (4, true), (256, true), (257, false)] {
        let rest = [&7i32.to_be_bytes()[..], &vec![1; secret_bytes]].concat();
        match Packet::read(&packet(80_877_102, &rest)) {
            Ok(Packet::Cancel(key)) if is_valid => {
                assert_eq!((key.process_id, key.secret().len()), (7, secret_bytes));
            }
            Err(error) if !is_valid => assert_eq!(error.sqlstate.as_str(), "08P01"),
            other => panic!("{secret_bytes} bytes: {other:?}"),
        }
    }
}

#[test]
fn requests_for_encryption_are_eight_bytes_long() {
    assert_eq!(Packet::read(&packet(80_877_103, b"")), Ok(Packet::TlsRequest));
    assert_eq!(Packet::read(&packet(80_877_104, b"")), Ok(Packet::GssRequest));
    for code in [80_877_103, 80_877_104] {
        assert!(Packet::read(&packet(code, b"x")).is_err());
    }
    assert!(Packet::read(b"\0\0\0").is_err());
}

proptest! {
    #[test]
    fn no_packet_makes_the_reader_panic(
        version in prop_oneof![Just(VERSION_3_0), 80_877_100u32..80_877_106, any::<u32>()],
        rest in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "((user|database|options|replication|_pq_.a|x)\0[-c a=\\\\\u{0}-\u{ff}]{0,9}\0){0,5}\0{0,2}"
                .prop_map(String::into_bytes),
        ]
    ) {
        if let Ok(Packet::Startup(startup)) = Packet::read(&packet(version, &rest)) {
            prop_assert!(!startup.user.is_empty() && startup.user.len() <= 63);
            prop_assert!(startup.settings.iter().all(|(name, _)| !name.is_empty()));
        }
    }
}
