"""How files of other projects state each network, a module a family; `fourcc.networks.spelling` explains the words."""
