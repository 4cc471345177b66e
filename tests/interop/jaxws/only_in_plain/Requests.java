package org.datacontract.schemas._2004._07.superoffice;

// So that the package is there in the other dialects, too.
interface Requests {}
