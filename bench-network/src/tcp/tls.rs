//! TLS for connections that are made in order to be closed: a certificate for this run, and both ends
//! that know it.
//!
//! The library is rustls, the cryptography rustls-graviola: by the same maintainer, Apache, ISC or MIT,
//! one source of Rust and of assembler that rustc assembles. Of the others, `ring` and `aws-lc-rs` need
//! a C compiler (the latter cmake, too), and `rustls-rustcrypto` has been an alpha for two years and
//! is slower by a multiple, so that it would be measured and not TLS. The certificate is made by rcgen
//! (MIT or Apache), without the cryptography that it can bring: rustls signs it.
//!
//! TLS 1.3 only. The key is Ed25519 and the certificate its own authority, so that nothing of a chain
//! is verified but one signature; a public service has two or three of them, mostly ECDSA. There is no
//! client certificate and no early data. What was agreed on is in [`Agreed`].
//!
//! Keys are random and signatures take a varying time, and callgrind does not know all instructions
//! that the assembler uses: TLS is measured by clocks only.

use std::sync::Arc;

use rcgen::{CertificateParams, PublicKeyData, SerialNumber, SignatureAlgorithm};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, SignatureScheme};

use crate::error::Error;

/// What the certificate is for.
const NAME: &str = "localhost";

/// PKCS #8 of an Ed25519 key (RFC 8410, section 7) up to its 32 bytes.
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Tickets for one connection: the client takes one for each that it makes, and gets this many.
const TICKETS: usize = 2;

/// Both ends of TLS connections to one server.
#[derive(Clone, Debug)]
pub struct Tls {
    client: Arc<ClientConfig>,
    /// For the server's end.
    pub(super) server: Arc<ServerConfig>,
    name: ServerName<'static>,
}

/// What two ends agreed on, as rustls names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// As in `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// As in `X25519MLKEM768`.
    pub key_exchange: String,
}

impl Agreed {
    /// Of a connection whose handshake is done.
    pub(super) fn of(connection: &ClientConnection) -> Option<Self> {
        Some(Self {
            cipher: format!("{:?}", connection.negotiated_cipher_suite()?.suite()),
            key_exchange: format!("{:?}", connection.negotiated_key_exchange_group()?.name()),
        })
    }
}

impl Tls {
    /// Makes a key and a certificate. With `resumed` the server gives tickets, and a client that has
    /// one resumes; without, every handshake is a full one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the processor lacks an instruction; what rustls or rcgen refused.
    pub fn for_this_run(resumed: bool) -> Result<Self, Error> {
        available()?;
        let provider = Arc::new(rustls_graviola::default_provider());
        let (key, signer) = key(&provider)?;
        let certificate = certificate(&signer)?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).map_err(Error::tls("trust the certificate"))?;

        let server = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let server =
            server.with_protocol_versions(&[&TLS13]).map_err(Error::tls("choose TLS 1.3"))?;
        let server = server.with_no_client_auth().with_single_cert(vec![certificate], key.into());
        let mut server = server.map_err(Error::tls("configure the server"))?;
        let client = ClientConfig::builder_with_provider(provider);
        let client =
            client.with_protocol_versions(&[&TLS13]).map_err(Error::tls("choose TLS 1.3"))?;
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        if resumed {
            server.send_tls13_tickets = TICKETS;
            server.ticketer =
                rustls_graviola::Ticketer::new().map_err(Error::tls("make tickets"))?;
        } else {
            server.send_tls13_tickets = 0;
            client.resumption = Resumption::disabled();
        }
        let name = ServerName::try_from(NAME).expect("a name");
        Ok(Self { client: Arc::new(client), server: Arc::new(server), name })
    }

    /// The client's end of another connection, which has sent nothing yet.
    pub(super) fn connect(&self) -> Result<ClientConnection, Error> {
        let connection = ClientConnection::new(Arc::clone(&self.client), self.name.clone());
        connection.map_err(Error::tls("begin a connection"))
    }
}

/// Graviola ends the process where an instruction is missing, so it has to be known before.
pub(super) fn available() -> Result<(), Error> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Unavailable {
        backend: "TLS (rustls-graviola)",
        reason: format!("the processor lacks {}", missing.join(", ")),
        instead: "measure plain connections, or on another machine",
    })
}

#[cfg(target_arch = "x86_64")]
fn missing() -> Vec<&'static str> {
    let has = [
        ("aes", is_x86_feature_detected!("aes")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("bmi1", is_x86_feature_detected!("bmi1")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("adx", is_x86_feature_detected!("adx")),
        ("avx2", is_x86_feature_detected!("avx2")),
    ];
    has.into_iter().filter(|(_, has)| !has).map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn missing() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected as detected;
    let has =
        [("aes", detected!("aes")), ("pmull", detected!("pmull")), ("sha2", detected!("sha2"))];
    has.into_iter().filter(|(_, has)| !has).map(|(name, _)| name).collect()
}

/// A key of the run's own, as a file would have it and as rustls signs with it.
fn key(provider: &CryptoProvider) -> Result<(PrivatePkcs8KeyDer<'static>, Signer), Error> {
    let mut secret = [0; 32];
    let filled = provider.secure_random.fill(&mut secret);
    filled.map_err(|_| Error::tls("make a key")(rustls::Error::FailedToGetRandomBytes))?;
    let key = PrivatePkcs8KeyDer::from([&ED25519_PKCS8[..], &secret].concat());
    let loaded = provider.key_provider.load_private_key(key.clone_key().into());
    let loaded = loaded.map_err(Error::tls("load the key"))?;
    let info = loaded.public_key();
    let info = info.ok_or_else(|| Error::tls("load the key")(general("it has no public half")))?;
    // RFC 8410: 12 bytes say what it is, 32 are the key.
    let public = info.as_ref().get(12..44).map(<[u8]>::to_vec);
    let public = public.ok_or_else(|| Error::tls("load the key")(general("it is no Ed25519")))?;
    Ok((key, Signer { key: loaded, public }))
}

fn general(what: &str) -> rustls::Error {
    rustls::Error::General(what.to_owned())
}

/// rustls' signing as rcgen asks for it.
struct Signer {
    key: Arc<dyn SigningKey>,
    public: Vec<u8>,
}

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self.key.choose_scheme(&[SignatureScheme::ED25519]);
        let signed = signer.and_then(|signer| signer.sign(message).ok());
        signed.ok_or(rcgen::Error::RemoteKeyError)
    }
}

/// Signed by its own key, for [`NAME`].
fn certificate(signer: &Signer) -> Result<rustls::pki_types::CertificateDer<'static>, Error> {
    let failed =
        |error: rcgen::Error| Error::tls("make a certificate")(general(&error.to_string()));
    let mut parameters = CertificateParams::new([NAME.to_owned()]).map_err(failed)?;
    parameters.serial_number = Some(SerialNumber::from(1));
    Ok(parameters.self_signed(signer).map_err(failed)?.der().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_a_key_of_its_own() {
        let provider = rustls_graviola::default_provider();
        let [one, other] = [(); 2].map(|()| key(&provider).expect("a key").1.public);
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
    }

    #[test]
    fn a_server_of_another_run_is_not_trusted() {
        let (ours, theirs) = match (Tls::for_this_run(false), Tls::for_this_run(false)) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(error), _) | (_, Err(error)) => return crate::tcp::skipped(&error),
        };
        assert!(agree(&ours, &ours).is_ok());
        let error = agree(&ours, &theirs).expect_err("another certificate").to_string();
        assert!(error.contains("certificate"), "{error}");
    }

    /// A handshake in memory.
    fn agree(client: &Tls, server: &Tls) -> Result<(), rustls::Error> {
        let mut client = client.connect().expect("begin");
        let server = rustls::ServerConnection::new(Arc::clone(&server.server));
        let mut server = server.expect("begin");
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).expect("memory");
            }
            server.read_tls(&mut &wire[..]).expect("memory");
            server.process_new_packets()?;
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).expect("memory");
            }
            client.read_tls(&mut &wire[..]).expect("memory");
            client.process_new_packets()?;
        }
        Ok(())
    }
}
