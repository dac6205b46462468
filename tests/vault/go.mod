// The indirect requirements are found when it is built: `.ci/run vault`.
module contractual/tests/vault

go 1.25

require github.com/hashicorp/vault v1.21.4

// Its own requirement is a folder of its source tree.
replace github.com/hashicorp/vault/sdk => github.com/hashicorp/vault/sdk v0.20.0
