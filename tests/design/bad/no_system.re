no_system\.hwh: has no <SYSTEMINFO>
