"""The operations of the control plane, one module a resource; `wherry.client.control_plane` puts them together."""
