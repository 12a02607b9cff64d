//! Who comes in.

use std::sync::Arc;

use gridmq_proto::time::Wall;
use gridmq_tls::PresentedPeer;
use zeroize::Zeroizing;

use super::users::User;
use super::{ANONYMOUS, Brake, Open, OpenRights, party};
use crate::gate::{Computation, ConnectRequest, Credentials, Refusal, RefusalKind};
use crate::principal::{AuthenticatedBy, NameSource, Principal, PrincipalKind};
use crate::resource::AlternativeNameSource;

/// What became of a password.
enum Checked {
    /// It is this user's.
    Right(Arc<User>),
    Wrong,
    /// Others were wrong while it waited, and it was not looked at.
    HeldUp,
}

impl Open {
    /// The work of checking the password, if there is one that decides.
    pub(super) fn check_password(&self, request: &ConnectRequest<'_>, now: Wall) -> Option<Computation> {
        let users = self.users.as_ref().filter(|_| request.authentication_method.is_none())?;
        let (name, password) = (given(request.username)?, request.password?);
        if self.certified(name, request.presented)
            || request.vouched == Some(name)
            || self.held_up(request, name, now).is_err()
        {
            return None;
        }
        let candidate = users.candidate(name);
        let name: Box<str> = name.into();
        let password = Zeroizing::new(password.to_vec());
        let (brake, source) = (self.brake.clone(), request.source);
        Some(Computation::new(move || {
            if brake.as_ref().is_some_and(|brake| brake.check(source, &name, now).is_err()) {
                return Checked::HeldUp;
            }
            match candidate.verify(&password) {
                Some(user) => {
                    brake.inspect(|brake| brake.succeeded(source, &name));
                    Checked::Right(user)
                }
                None => {
                    brake.inspect(|brake| brake.failed(source, &name, now));
                    Checked::Wrong
                }
            }
        }))
    }

    pub(super) fn judge(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Principal, Refusal> {
        if let Some(method) = request.authentication_method {
            return Err(RefusalKind::UnsupportedAuthenticationMethod { method: method.to_owned() }.into());
        }
        if let Some(principal) = by_proxy(request.username, request.vouched) {
            return Ok(self.with_rights(principal, request.client_id, None));
        }
        if let Some(principal) = self.by_certificate(request.username, request.presented, now)? {
            return Ok(self.with_rights(principal, request.client_id, None));
        }
        let Some(name) = given(request.username) else {
            return self.without_name(request);
        };
        if !self.knows_names() {
            let principal = Principal::new(PrincipalKind::Open, name).with_name_source(NameSource::Username);
            return Ok(self.with_rights(principal, request.client_id, None));
        }
        let wrong = || Refusal::from(RefusalKind::BadCredentials { username: name.to_owned() });
        if self.users.is_none() || request.password.is_none() {
            return Err(wrong());
        }
        match request.proof.and_then(|proof| proof.get::<Checked>()) {
            Some(Checked::Right(user)) => {
                let principal = Principal::new(PrincipalKind::Client, &*user.name)
                    .with_name_source(NameSource::Username)
                    .with_proof(AuthenticatedBy::Password, None);
                Ok(self.with_rights(principal, request.client_id, Some(Arc::clone(user))))
            }
            Some(Checked::Wrong) => Err(wrong()),
            // There is no outcome where the brake spared the work.
            Some(Checked::HeldUp) | None => {
                self.brake.as_deref().inspect(|brake| brake.count_held_up());
                let seconds = self.held_up(request, name, now).err().map_or(1, |left| left.as_secs().saturating_add(1));
                Err(RefusalKind::TooManyAttempts { seconds }.into())
            }
        }
    }

    pub(super) fn judge_again(
        &self,
        principal: &Principal,
        credentials: &Credentials,
        now: Wall,
    ) -> Result<Principal, Refusal> {
        if principal.kind() == PrincipalKind::System {
            return Ok(principal.clone());
        }
        let foreign = || Refusal::from(RefusalKind::Other("the rules have changed; connect again".to_owned()));
        let rights = principal.open().ok_or_else(foreign)?;
        let client_id = &*rights.client_id;
        let name = principal.authentication_name();
        let again = match (principal.authenticated_by(), &rights.user) {
            (AuthenticatedBy::Password, Some(before)) => {
                let user = self.users.as_ref().and_then(|users| users.get(name));
                // Another password is another proof.
                let user = user.filter(|user| user.hash == before.hash);
                let user = user.ok_or_else(|| RefusalKind::PasswordChanged { username: name.to_string() })?;
                return Ok(self.with_rights(principal.clone(), client_id, Some(Arc::clone(user))));
            }
            (AuthenticatedBy::Nothing, _) if self.knows_names() => self.anonymous_principal()?,
            (AuthenticatedBy::Nothing, _) if self.admits_anonymous() => principal.clone(),
            (AuthenticatedBy::Nothing, _) => return Err(RefusalKind::AnonymousNotAllowed.into()),
            (AuthenticatedBy::Proxy, _) => principal.clone(),
            _ => {
                let username = credentials.username.as_deref();
                self.by_certificate(username, credentials.presented.as_ref(), now)?.ok_or_else(foreign)?
            }
        };
        if again.authentication_name() != name {
            let to = again.authentication_name().to_string();
            return Err(RefusalKind::NameChanged { from: name.to_string(), to }.into());
        }
        Ok(self.with_rights(again, client_id, None))
    }

    /// Whoever a stored session belongs to, by name. Who had a certificate has to show it again.
    pub(super) fn judge_stored(&self, name: &str, client_id: &str) -> Result<Principal, Refusal> {
        let user = self.users.as_ref().and_then(|users| users.get(name)).map(Arc::clone);
        let principal = match user {
            Some(_) => Principal::new(PrincipalKind::Client, name),
            None if self.knows_names() && name == ANONYMOUS => self.anonymous_principal()?,
            None if !self.knows_names() && self.admits_anonymous() => Principal::new(PrincipalKind::Open, name),
            None => {
                let words = format!("'{name}' is no user, and has not connected since the broker was started");
                return Err(RefusalKind::Other(words).into());
            }
        };
        Ok(self.with_rights(principal, client_id, user))
    }

    /// Whoever a certificate names; nobody, if there is none, or if the user name is another one, which a password has
    /// to prove. A certificate that does not hold is refused in any case.
    fn by_certificate(
        &self,
        username: Option<&str>,
        presented: Option<&PresentedPeer>,
        now: Wall,
    ) -> Result<Option<Principal>, Refusal> {
        let (Some(certificates), Some(presented)) = (&self.certificates, presented) else { return Ok(None) };
        let (proof, ends) = certificates.verify(presented, now)?;
        let mut names = certificates.names(presented).into_iter();
        let name = match given(username) {
            Some(username) => names.find(|name| name == username),
            None => names.next(),
        };
        Ok(name.map(|name| {
            Principal::new(PrincipalKind::Client, name)
                .with_name_source(NameSource::Certificate(certificates.source()))
                .with_proof(proof, Some(ends))
        }))
    }

    fn certified(&self, name: &str, presented: Option<&PresentedPeer>) -> bool {
        let (Some(certificates), Some(presented)) = (&self.certificates, presented) else { return false };
        certificates.names(presented).iter().any(|certified| certified == name)
    }

    fn without_name(&self, request: &ConnectRequest<'_>) -> Result<Principal, Refusal> {
        let principal = if self.knows_names() {
            self.anonymous_principal()?
        } else if self.admits_anonymous() {
            Principal::new(PrincipalKind::Open, request.client_id).with_name_source(NameSource::ClientId)
        } else {
            return Err(RefusalKind::AnonymousNotAllowed.into());
        };
        Ok(self.with_rights(principal, request.client_id, None))
    }

    fn anonymous_principal(&self) -> Result<Principal, Refusal> {
        if !self.admits_anonymous() {
            return Err(RefusalKind::AnonymousNotAllowed.into());
        }
        Ok(Principal::new(PrincipalKind::Open, ANONYMOUS))
    }

    fn held_up(&self, request: &ConnectRequest<'_>, name: &str, now: Wall) -> Result<(), std::time::Duration> {
        self.brake.as_deref().map_or(Ok(()), |brake: &Brake| brake.check(request.source, name, now))
    }

    fn with_rights(&self, principal: Principal, client_id: &str, user: Option<Arc<User>>) -> Principal {
        let rules = self.access.as_ref().map(|access| access.applicable(party(&principal, client_id)));
        let rights = OpenRights {
            generation: self.generation,
            client_id: client_id.into(),
            user,
            rules: rules.unwrap_or_default(),
        };
        principal.with_open(Arc::new(rights))
    }
}

fn given(username: Option<&str>) -> Option<&str> {
    username.filter(|name| !name.is_empty())
}

/// Whoever a trusted proxy vouches for; nobody, if the user name is another one, which a password has to prove.
fn by_proxy(username: Option<&str>, vouched: Option<&str>) -> Option<Principal> {
    let name = vouched.filter(|vouched| given(username).is_none_or(|username| username == *vouched))?;
    let source = NameSource::Certificate(AlternativeNameSource::ClientCertificateSubject);
    Some(Principal::new(PrincipalKind::Client, name).with_name_source(source).with_proof(AuthenticatedBy::Proxy, None))
}
