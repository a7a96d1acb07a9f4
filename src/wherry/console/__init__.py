"""The web console: pages over the control plane's operations. How a page is made: CONTRIBUTING.md."""
