"""Tests that run ansible-playbook against the emulator."""
