"""Making a copy boot: conversion as a reviewable change set, and the rehearsal that proves it."""
