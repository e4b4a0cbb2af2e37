//! Both sides of SCRAM against each other, and against what must not pass.

use std::num::NonZeroU32;

use proptest::prelude::*;
use ring::hmac;

use super::message::{
    ClientFinalMessage, ClientFirstMessage, ServerFirstMessage, read_server_final,
};
use super::*;
use crate::bounds::SCRAM_ITERATIONS_MAX;
use crate::tls::EndPoint;
use crate::tls::tests::authority;

const RFC_SALT: &[u8] = b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";

fn keys(password: &str) -> ScramKeys {
    let iterations = NonZeroU32::new(16).expect("not zero");
    ScramKeys::from_password(password, b"a salt of some bytes", iterations)
}

fn end_point() -> EndPoint {
    EndPoint::of(authority().certificate.der()).expect("signed with a hash")
}

fn mechanism(offer: &Offer) -> &'static str {
    offer.mechanisms()[0]
}

/// One whole exchange, and what the server made of it.
fn exchange(
    server: ServerFirst,
    client: ClientFirst,
    secret: ClientSecret<'_>,
) -> Result<ScramKeys, ScramError> {
    let mechanism = mechanism(server.offer());
    let (server, server_first) = server.answer(mechanism, client.message().as_bytes())?;
    let (client, client_final) = client.answer(server_first.as_bytes(), secret)?;
    let (keys, server_final) = server.verify(client_final.as_bytes())?;
    client.verify(server_final.as_bytes())?;
    Ok(keys)
}

fn server(password: &str, offer: Offer) -> ServerFirst {
    ServerFirst::new(ScramVerifier::of(&keys(password)), offer)
}

#[test]
fn the_example_of_rfc_7677_holds() {
    let iterations = NonZeroU32::new(4096).expect("not zero");
    let keys = ScramKeys::from_password("pencil", RFC_SALT, iterations);
    let server = ServerFirst::new(ScramVerifier::of(&keys), Offer::Plain);
    let (server, server_first) = server
        .answer_with_nonce(
            SCRAM_SHA_256,
            b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        )
        .expect("well formed");
    assert_eq!(
        server_first,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let (recovered, server_final) = server
        .verify(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
              p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        )
        .expect("the right proof");
    assert_eq!(server_final, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_eq!(recovered, keys);
}

#[test]
fn the_recovered_keys_log_in_where_the_verifier_is_the_same() {
    let first = exchange(
        server("secret", Offer::Plain),
        ClientFirst::unbound(false),
        ClientSecret::Password("secret"),
    )
    .expect("the right password");
    assert_eq!(first, keys("secret"));
    let end_point = end_point();
    let again = exchange(
        server("secret", Offer::Bound(end_point.clone())),
        ClientFirst::bound(&end_point),
        ClientSecret::Keys(&first),
    );
    assert_eq!(again.expect("the right keys"), first);
}

#[test]
fn a_wrong_password_proves_nothing() {
    let outcome = exchange(
        server("secret", Offer::Plain),
        ClientFirst::unbound(false),
        ClientSecret::Password("Secret"),
    );
    assert_eq!(outcome, Err(ScramError::WrongProof));
}

#[test]
fn a_mock_exchange_fails_at_the_very_end_and_looks_alike_every_time() {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, b"process secret");
    let salt_for = |user: &str| {
        let mock = ServerFirst::mock(&secret, user, Offer::Plain);
        let (_, message) = mock
            .answer_with_nonce(SCRAM_SHA_256, b"n,,n=,r=abc", "def")
            .expect("up to here as any other");
        message
    };
    assert_eq!(salt_for("nobody"), salt_for("nobody"));
    assert_ne!(salt_for("nobody"), salt_for("noone"));
    assert!(salt_for("nobody").ends_with(",i=4096"));
    let outcome = exchange(
        ServerFirst::mock(&secret, "nobody", Offer::Plain),
        ClientFirst::unbound(false),
        ClientSecret::Password("anything"),
    );
    assert_eq!(outcome, Err(ScramError::WrongProof));
}

#[test]
fn flag_and_mechanism_and_offer_must_agree() {
    let bound = || Offer::Bound(end_point());
    let cases: [(Offer, &str, &[u8], ScramError); 8] = [
        (bound(), SCRAM_SHA_256, b"y,,n=,r=a", ScramError::BindingDowngraded),
        (bound(), SCRAM_SHA_256_PLUS, b"n,,n=,r=a", ScramError::BindingOutOfPlace),
        (bound(), SCRAM_SHA_256_PLUS, b"y,,n=,r=a", ScramError::BindingOutOfPlace),
        (bound(), SCRAM_SHA_256, b"p=tls-server-end-point,,n=,r=a", ScramError::BindingOutOfPlace),
        (
            Offer::Plain,
            SCRAM_SHA_256,
            b"p=tls-server-end-point,,n=,r=a",
            ScramError::BindingOutOfPlace,
        ),
        (
            Offer::Plain,
            SCRAM_SHA_256_PLUS,
            b"p=tls-server-end-point,,n=,r=a",
            ScramError::BindingOutOfPlace,
        ),
        (bound(), SCRAM_SHA_256_PLUS, b"p=tls-unique,,n=,r=a", ScramError::UnsupportedBinding),
        (bound(), SCRAM_SHA_256, b"n,a=other,n=,r=a", ScramError::AuthorizationIdentity),
    ];
    for (offer, mechanism, message, expected) in cases {
        let outcome = server("secret", offer).answer(mechanism, message);
        assert_eq!(outcome.map(|_| ()).expect_err("out of order"), expected);
    }
}

#[test]
fn a_client_bound_to_another_certificate_is_refused() {
    let other = EndPoint::of(authority().certificate.der()).expect("signed with a hash");
    let outcome = exchange(
        server("secret", Offer::Bound(end_point())),
        ClientFirst::bound(&other),
        ClientSecret::Password("secret"),
    );
    assert_eq!(outcome, Err(ScramError::BindingMismatch));
}

#[test]
fn a_client_that_could_bind_notices_that_the_offer_was_removed() {
    let server = server("secret", Offer::Bound(end_point()));
    let client = ClientFirst::unbound(true);
    let outcome = server.answer(SCRAM_SHA_256, client.message().as_bytes());
    assert_eq!(outcome.map(|_| ()).expect_err("a downgrade"), ScramError::BindingDowngraded);
}

#[test]
fn the_proof_must_be_for_this_very_exchange() {
    let start = || {
        server("secret", Offer::Plain)
            .answer_with_nonce(SCRAM_SHA_256, b"n,,n=,r=abc", "def")
            .expect("well formed")
            .0
    };
    let proof = "p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let outcome = |message: String| start().verify(message.as_bytes()).expect_err("not proven");
    assert_eq!(outcome(format!("c=biws,r=abcdef,{proof}")), ScramError::WrongProof);
    assert_eq!(outcome(format!("c=biws,r=abcdeg,{proof}")), ScramError::NonceMismatch);
    assert_eq!(outcome(format!("c=biws,r=abc,{proof}")), ScramError::NonceMismatch);
    assert_eq!(outcome(format!("c=eSws,r=abcdef,{proof}")), ScramError::BindingMismatch);
}

#[test]
fn messages_with_missing_misplaced_or_overlong_fields_are_malformed() {
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "x,,n=,r=a",
        "n,b,n=,r=a",
        "n,,r=a",
        "n,,n=",
        "n,,n=,",
        "n,,n=,r=",
        "n,,n=,r=a b",
        "n,,n=,r=a,",
        "n,,n=,r=a,xx",
        "n,,n=,r=a\0",
        "n,,n=,r=\u{e9}",
        ",,",
        ",,,",
    ] {
        assert!(
            matches!(ClientFirstMessage::read(message.as_bytes()), Err(ScramError::Malformed(_))),
            "{message:?}"
        );
    }
    let too_long = "A".repeat(64);
    for message in [
        "",
        "c=biws",
        "c=biws,r=a",
        "c=biws,r=a,p=",
        "r=a,c=biws,p=AA==",
        "c=biws,p=AA==",
        &format!("c=biws,r=a,p={too_long}"),
        "c=biws,r=a,p=*",
        "c=biws,r=a,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,x=1",
    ] {
        assert!(
            matches!(ClientFinalMessage::read(message.as_bytes()), Err(ScramError::Malformed(_))),
            "{message:?}"
        );
    }
    let long_salt = "A".repeat(4 * 1024);
    for message in [
        "",
        "r=a",
        "r=a,s=AA==",
        "r=a,s=AA==,i=",
        "r=a,s=AA==,i=-1",
        "r=a,s=AA==,i=99999999999",
        "r=a,s=*,i=1",
        "s=AA==,r=a,i=1",
        &format!("r=a,s={long_salt},i=1"),
    ] {
        assert!(
            matches!(ServerFirstMessage::read(message.as_bytes()), Err(ScramError::Malformed(_))),
            "{message:?}"
        );
    }
    assert_eq!(ClientFirstMessage::read(b"n,,m=x,n=,r=a"), Err(ScramError::RequiredExtension));
}

#[test]
fn extensions_that_are_not_required_are_ignored() {
    assert!(ClientFirstMessage::read(b"n,,n=,r=a,x=1,y=2").is_ok());
    assert!(
        ClientFinalMessage::read(b"c=biws,r=a,x=1,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            .is_ok()
    );
}

#[test]
fn a_hostile_server_gets_neither_our_time_nor_our_proof() {
    let refused = |server_first: &dyn Fn(&str) -> String, secret: ClientSecret<'_>| {
        let client = ClientFirst::unbound(false);
        let message = client.message();
        let nonce = message.strip_prefix("n,,n=,r=").expect("our own message").to_owned();
        let outcome = client.answer(server_first(&nonce).as_bytes(), secret);
        outcome.map(|_| ()).expect_err("a hostile server")
    };
    let password = ClientSecret::Password("secret");
    assert_eq!(
        refused(&|nonce| format!("r={nonce}x,s=AA==,i=1000001"), password),
        ScramError::TooManyIterations {
            iterations: 1_000_001,
            iterations_max: SCRAM_ITERATIONS_MAX
        }
    );
    assert_eq!(
        refused(&|nonce| format!("r={nonce},s=AA==,i=1"), password),
        ScramError::NonceMismatch
    );
    assert_eq!(refused(&|_| "r=other,s=AA==,i=1".to_owned(), password), ScramError::NonceMismatch);
    assert!(matches!(
        refused(&|nonce| format!("r={nonce}x,s=AA==,i=0"), password),
        ScramError::Malformed(_)
    ));
    assert_eq!(
        refused(&|nonce| format!("r={nonce}x,s=AA==,i=4096"), ClientSecret::Keys(&keys("a"))),
        ScramError::VerifierDiffers
    );
}

#[test]
fn a_server_that_does_not_know_the_verifier_is_found_out() {
    let (server, client) = (server("secret", Offer::Plain), ClientFirst::unbound(false));
    let (_, server_first) =
        server.answer(SCRAM_SHA_256, client.message().as_bytes()).expect("well formed");
    let (client, _) = client
        .answer(server_first.as_bytes(), ClientSecret::Password("secret"))
        .expect("well formed");
    let outcome = client.verify(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(outcome, Err(ScramError::WrongServerSignature));
    assert_eq!(read_server_final(b"e=other-error"), Err(ScramError::ServerRefused));
}

#[test]
fn verifiers_are_written_as_postgresql_writes_them() {
    let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let iterations = NonZeroU32::new(4096).expect("not zero");
    let verifier = ScramVerifier::of(&ScramKeys::from_password("pencil", RFC_SALT, iterations));
    assert_eq!(verifier.to_text(), text);
    assert_eq!(text.parse(), Ok(verifier));
    assert_ne!(ScramVerifier::make("pencil").to_text(), ScramVerifier::make("pencil").to_text());
    assert_eq!(format!("{:?}", ScramVerifier::make("pencil")), "ScramVerifier(…)");
}

#[test]
fn what_is_not_a_verifier_is_refused() {
    for text in [
        "",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-256$0:AA==$AA==:AA==",
        "md5",
        "SCRAM-SHA-256$4096:AA==$AA==:AA==",
        "SCRAM-SHA-256$x:AA==$AA==:AA==",
        "SCRAM-SHA-1$4096:AA==$AA==:AA==",
    ] {
        assert_eq!(text.parse::<ScramVerifier>(), Err(InvalidVerifier), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_message_makes_a_parser_panic(
        message in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[nycrpsiveam=,A-Za-z0-9+/ ]{0,80}".prop_map(String::into_bytes),
        ]
    ) {
        let _ = ClientFirstMessage::read(&message);
        let _ = ClientFinalMessage::read(&message);
        let _ = ServerFirstMessage::read(&message);
        let _ = read_server_final(&message);
        let _ = String::from_utf8_lossy(&message).parse::<ScramVerifier>();
    }

    #[test]
    fn any_password_logs_in_with_itself_and_with_no_other(one in "\\PC{0,20}", other in "\\PC{0,20}") {
        let outcome = exchange(
            server(&one, Offer::Plain),
            ClientFirst::unbound(false),
            ClientSecret::Password(&other),
        );
        prop_assert_eq!(outcome.is_ok(), keys(&one) == keys(&other));
    }
}
