//! Why judges differ.

use std::fmt;

use super::{Judge, Outcome, Purpose, Question, Verdict};
use crate::inspect::Signed;
use crate::inspect::details::Details;
use crate::keys::KeyKind;

/// A rule that programs do not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Difference {
    /// An intermediate is trusted, and its root is not.
    PartialChain,
    /// The intermediate was not sent, and is registered.
    IntermediateFromAnchors,
    /// The leaf says CA:TRUE.
    CaAsLeaf,
    /// The server's name stands in the common name alone.
    CommonNameOnly,
    /// The leaf has no extended key usage.
    NoExtendedKeyUsage,
    /// The key usage of the leaf does not allow signatures.
    KeyUsage,
    /// A signature rests on SHA-1 or MD5.
    WeakDigest,
    /// A key is an RSA key of fewer than 2048 bits.
    SmallKey,
    /// A key is on a curve, or of a kind, that rustls does not use.
    UnusualKey,
    /// A trusted certificate's own validity is over or has not begun.
    AnchorOutOfDate,
    /// A trusted certificate is no authority's.
    LeafAsAnchor,
    /// An extension is critical and not known to everybody.
    CriticalExtension,
    /// They differ, and none of the reasons above says why.
    Other,
}

impl Difference {
    /// A word for it, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PartialChain => "partial-chain",
            Self::IntermediateFromAnchors => "intermediate-from-anchors",
            Self::CaAsLeaf => "ca-as-leaf",
            Self::CommonNameOnly => "common-name-only",
            Self::NoExtendedKeyUsage => "no-extended-key-usage",
            Self::KeyUsage => "key-usage",
            Self::WeakDigest => "weak-digest",
            Self::SmallKey => "small-key",
            Self::UnusualKey => "unusual-key",
            Self::AnchorOutOfDate => "anchor-out-of-date",
            Self::LeafAsAnchor => "leaf-as-anchor",
            Self::CriticalExtension => "critical-extension",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PartialChain => {
                "OpenSSL follows the chain to a root that is trusted; Event Grid, rustls and Java stop at any trusted \
                 certificate. Trust the root as well, or give OpenSSL -partial_chain."
            }
            Self::IntermediateFromAnchors => {
                "The intermediate was not sent. Event Grid and OpenSSL take it from the certificates that they trust; \
                 rustls uses these only as ends of a chain. Send the intermediate after the leaf."
            }
            Self::CaAsLeaf => {
                "The leaf says CA:TRUE, as `openssl req -x509` makes it. OpenSSL and Java take that; rustls does not, \
                 unless the certificate is pinned. Make the leaf with CA:FALSE."
            }
            Self::CommonNameOnly => {
                "The host's name stands only in the common name. OpenSSL and Java still read it there; rustls, Go and \
                 browsers read the subject alternative names alone. Issue it with the name as dNSName."
            }
            Self::NoExtendedKeyUsage => {
                "There is no extended key usage, which every judge here takes for any purpose; some services insist \
                 on clientAuth or serverAuth."
            }
            Self::KeyUsage => {
                "The key usage does not allow digital signatures. OpenSSL refuses that; rustls does not look at it. \
                 Issue it with digitalSignature."
            }
            Self::WeakDigest => {
                "A signature rests on SHA-1 or MD5. OpenSSL takes that at security level 0 alone, rustls never. Have \
                 it issued anew with SHA-256."
            }
            Self::SmallKey => {
                "A key is an RSA key of fewer than 2048 bits. OpenSSL takes that below security level 2, Node.js and \
                 old servers do; rustls, AWS and Debian's OpenSSL do not. Make a new key."
            }
            Self::UnusualKey => {
                "A key is of a kind that rustls does not use; OpenSSL does. Use RSA, P-256, P-384, P-521 or Ed25519."
            }
            Self::AnchorOutOfDate => {
                "A trusted certificate is out of date. rustls takes what it is given as trusted at its word; OpenSSL \
                 and Event Grid check it. Replace it by the renewed one."
            }
            Self::LeafAsAnchor => {
                "One of the trusted certificates is no CA's. A leaf is believed by its thumbprint or pin, not as an \
                 authority; only OpenSSL and Java take a self-signed one for its own."
            }
            Self::CriticalExtension => "An extension is marked critical and is not known to every program.",
            Self::Other => "They differ, for a reason that is not among those known here: compare the rules above.",
        })
    }
}

pub(super) fn explain(question: &Question<'_>, verdicts: &[Verdict]) -> Vec<Difference> {
    let outcome = |judge| verdicts.iter().find(|verdict| verdict.judge == judge).map(|verdict| &verdict.outcome);
    let (openssl, rustls) = (outcome(Judge::OpenSsl), outcome(Judge::Rustls));
    let accepted = |outcome: Option<&Outcome>| outcome.is_some_and(Outcome::is_accepted);
    let asked = verdicts.iter().filter(|verdict| verdict.outcome != Outcome::NotAsked);
    let yes = asked.clone().filter(|verdict| verdict.outcome.is_accepted()).count();
    let differ = yes > 0 && yes < asked.count();
    let code = openssl.and_then(Outcome::code);

    let leaf = Details::of(question.leaf);
    let all = || std::iter::once(question.leaf).chain(question.intermediates).chain(question.anchors);
    let kinds = || all().map(|certificate| KeyKind::of(certificate.public_key()));
    let out_of_date = |one: &crate::Certificate| !(one.not_before()..=one.not_after()).contains(&question.now);
    let mut found = Vec::new();
    let mut say = |applies: bool, difference| {
        if applies {
            found.push(difference);
        }
    };
    say(differ && code == Some(2), Difference::PartialChain);
    let others = accepted(openssl) || accepted(outcome(Judge::EventGrid));
    let issuer_sent = question.intermediates.iter().any(|one| question.leaf.names_as_issuer(one));
    let issuer_trusted = question.anchors.iter().any(|one| question.leaf.names_as_issuer(one) && !one.is_self_issued());
    say(differ && others && !accepted(rustls) && !issuer_sent && issuer_trusted, Difference::IntermediateFromAnchors);
    say(question.leaf.is_ca(), Difference::CaAsLeaf);
    let nameless = question.leaf.alternative_names().dns.is_empty() && question.leaf.alternative_names().ip.is_empty();
    say(question.purpose == Purpose::Server && question.host.is_some() && nameless, Difference::CommonNameOnly);
    say(question.leaf.extended_key_usage().is_none(), Difference::NoExtendedKeyUsage);
    let usages = leaf.as_ref().and_then(|details| details.usages);
    say(usages.is_some_and(|usages| !usages.digital_signature), Difference::KeyUsage);
    let weak = |one: &&crate::Certificate| {
        !one.is_self_issued() && Signed::split(one.der()).is_some_and(|signed| signed.algorithm().is_weak())
    };
    say(all().any(|one| weak(&one)), Difference::WeakDigest);
    say(kinds().any(|kind| matches!(kind, KeyKind::Rsa { bits } if bits < 2048)), Difference::SmallKey);
    let unusual = |kind: KeyKind| !matches!(kind, KeyKind::Rsa { .. }) && !kind.is_usable();
    say(kinds().any(unusual), Difference::UnusualKey);
    say(differ && question.anchors.iter().any(out_of_date), Difference::AnchorOutOfDate);
    say(question.anchors.iter().any(|anchor| !anchor.can_issue()), Difference::LeafAsAnchor);
    say(leaf.is_some_and(|details| details.unknown_critical.is_some()), Difference::CriticalExtension);
    if differ && found.is_empty() {
        found.push(Difference::Other);
    }
    found
}
