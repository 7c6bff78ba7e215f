//! Sets the linker options of a component.

fn main() {
    onepassword_users_guest_build::link_component();
}
