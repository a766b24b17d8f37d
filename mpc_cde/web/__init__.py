"""The pages that people use: plain ES modules, served by parties (figures are typed there) and the gateway (results).

`assets` names every file by its digest and all of them by one; `serving` hands them out under a strict policy;
`checking` compares what a server hands out with the wheel on this machine. The pages themselves are in `pages/`.
"""
