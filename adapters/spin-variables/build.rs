//! Sets the linker's options for a component.

fn main() {
    onepassword_users_guest_build::link_component();
}
