package wire

// Hidden stands where a plugin showed a secret.
const Hidden = hidden
