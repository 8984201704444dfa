//! Plugins that need nothing but the server's own state and so are plain functions.

use futures_util::future::BoxFuture;

use crate::object::Status;

use super::{Attributes, Plugin};
use crate::apiserver::core::Core;

/// One phase of a plugin.
pub type Step = fn(&Core, &mut Attributes) -> Result<(), Status>;

/// A plugin made of functions.
pub struct Simple {
    /// Its name.
    pub name: &'static str,
    /// What it does while objects are changed.
    pub admit: Step,
    /// What it does when objects are judged.
    pub validate: Step,
}

/// A phase in which a plugin does nothing.
pub fn nothing(_: &Core, _: &mut Attributes) -> Result<(), Status> {
    Ok(())
}

impl Plugin for Simple {
    fn name(&self) -> &'static str {
        self.name
    }

    fn admit<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready((self.admit)(core, attributes)))
    }

    fn validate<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready((self.validate)(core, attributes)))
    }
}
