//! How a client comes to the profile of its calls: from the WSDL of the service, from a contract file, or as the dialect that
//! the service answers in.

use std::sync::Arc;

use contract::learn::{Comparison, LearnError, Learned, WsdlDocument, compare, learn};
use contract::profile::ProfileError;
use contract::{Operation, Profile, Profiles, Request};

use super::Client;
use crate::error::{CallError, CallErrorKind};
use crate::wsdl::{Source, WsdlError, fetch_of_service};

/// The name of a profile that was learned.
const LEARNED: &str = "learned";

/// The profile to call a service in.
#[derive(Debug, Clone, Default)]
pub enum ProfileChoice {
    /// That of the service's WSDL, or else the dialect that the service answers in.
    #[default]
    Service,
    /// This one, such as a dialect or that of a contract file; the WSDL is not read.
    Given(Arc<Profile>),
}

/// Where the profile of a client comes from.
#[derive(Debug)]
pub enum ProfileSource {
    /// It was given.
    Given,
    /// The WSDL of the service.
    Wsdl(Box<ServiceContract>),
    /// The WSDL cannot be used, so it is a dialect.
    Detected(NoContract),
}

/// The contract of a service, as its WSDL has it.
#[derive(Debug, Clone)]
pub struct ServiceContract {
    /// What was learned.
    pub learned: Learned,
    /// The built-in profile that is most like it.
    pub comparison: Comparison,
}

/// Why the WSDL of a service gives no profile for calls.
#[derive(Debug, thiserror::Error)]
pub enum NoContract {
    /// It cannot be fetched.
    #[error(transparent)]
    Wsdl(#[from] WsdlError),
    /// It has another form than that of a connector service.
    #[error(transparent)]
    Form(#[from] LearnError),
    /// Its profile contradicts itself.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The service does not understand calls of its own WSDL.
    #[error("the service does not understand a call as its WSDL has it: {0}")]
    Contradicted(CallError),
}

impl ServiceContract {
    /// Reads a WSDL.
    ///
    /// # Errors
    /// It is not that of a connector service.
    pub fn learn(documents: &[WsdlDocument]) -> Result<Self, LearnError> {
        let learned = learn(LEARNED, documents)?;
        let comparison = compare(&learned.layout);
        Ok(ServiceContract { learned, comparison })
    }

    /// The profile: a built-in one if it has the same messages, so that it has the name that is known.
    ///
    /// # Errors
    /// It contradicts itself.
    pub fn profile(&self) -> Result<Arc<Profile>, ProfileError> {
        let builtin = Some(&self.comparison)
            .filter(|comparison| comparison.differences.is_empty())
            .and_then(|comparison| Profiles::builtin().find(&comparison.builtin));
        match builtin {
            Some(profile) => Ok(Arc::clone(profile)),
            None => Profile::new(self.learned.layout.clone()),
        }
    }
}

impl Client {
    /// Fetches a WSDL of the service with all that it imports, as calls are sent. Imports on other hosts are not followed.
    ///
    /// # Errors
    /// There is none at this place.
    pub async fn wsdl(&self, source: &Source) -> Result<Vec<WsdlDocument>, WsdlError> {
        fetch_of_service(source, &self.address, &self.transport).await
    }

    /// Sets the profile. With [`ProfileChoice::Service`] the WSDL is fetched; if it cannot be used, the profile stays as it is,
    /// and the reason is returned. `operation` is what is to be called next, for errors.
    ///
    /// # Errors
    /// Nothing answers at the address.
    pub async fn choose(
        self,
        choice: ProfileChoice,
        operation: Operation,
    ) -> Result<(Self, ProfileSource), CallError> {
        match choice {
            ProfileChoice::Given(profile) => Ok((self.in_profile(profile), ProfileSource::Given)),
            ProfileChoice::Service => {
                let learned = match self.wsdl(&Source::Service(self.address.clone())).await {
                    Ok(documents) => learned(&documents),
                    Err(error) => match error.into_unreachable() {
                        // A call would wait for the same, and end in the same error.
                        Ok(kind) => return Err(CallError::without_response(operation, kind)),
                        Err(error) => Err(error.into()),
                    },
                };
                Ok(match learned {
                    Ok((contract, profile)) => {
                        (self.in_profile(profile), ProfileSource::Wsdl(Box::new(contract)))
                    }
                    Err(why) => (self, ProfileSource::Detected(why)),
                })
            }
        }
    }

    /// Sets the profile as [`Client::choose`], and makes sure that the service answers to it, with WSGetConfigData. If it does
    /// not answer to that of its WSDL, or has none, the profile is the dialect that it answers in.
    ///
    /// # Errors
    /// Nothing answers at the address, or in none of these profiles.
    pub async fn choose_and_try(self, choice: ProfileChoice) -> Result<(Self, ProfileSource), CallError> {
        let first = self.clone();
        let (client, source) = self.choose(choice, Operation::GetConfigData).await?;
        let contract = match source {
            ProfileSource::Given => return Ok((client, source)),
            ProfileSource::Detected(_) => return Ok((client.detect_dialect().await?, source)),
            ProfileSource::Wsdl(contract) => contract,
        };
        let error = match client.call(None, Request::GetConfigData).await {
            Err(error) if error.kind.may_be_wrong_dialect() => error,
            // There is nothing to try it with.
            Err(error) if matches!(error.kind, CallErrorKind::NoOperation) => {
                return Ok((client, ProfileSource::Wsdl(contract)));
            }
            Err(error) => return Err(error),
            Ok(_) => return Ok((client, ProfileSource::Wsdl(contract))),
        };
        match first.detect_dialect().await {
            Ok(detected) if detected.profile() != client.profile() => {
                Ok((detected, ProfileSource::Detected(NoContract::Contradicted(error))))
            }
            _ => Err(error),
        }
    }
}

fn learned(documents: &[WsdlDocument]) -> Result<(ServiceContract, Arc<Profile>), NoContract> {
    let contract = ServiceContract::learn(documents)?;
    let profile = contract.profile()?;
    Ok((contract, profile))
}
